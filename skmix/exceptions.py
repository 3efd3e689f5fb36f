"""Warnings that skmix raises beyond those of scikit-learn."""

import sys

__all__ = ["DegenerateComponentWarning", "InconsistentVersionWarning"]


class DegenerateComponentWarning(UserWarning):
    """A component collapsed, died or started identical to another, and was repaired.

    The message names the components and what was done. It is a category of its own, so that
    ``warnings.filterwarnings`` can silence it or turn it into an error.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from skmix import GaussianMixture
    >>> from skmix.exceptions import DegenerateComponentWarning
    >>> X = np.repeat([[0.0, 0.0], [1.0, 1.0]], 10, axis=0)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     mixture = GaussianMixture(2, random_state=0).fit(X)
    >>> any(issubclass(w.category, DegenerateComponentWarning) for w in caught)
    True
    """


class InconsistentVersionWarning(UserWarning):
    """An estimator was unpickled that another version of skmix had pickled.

    Attributes may have other names or meanings by now: fit again, or load it with the version
    that wrote it. It is what :class:`sklearn.exceptions.InconsistentVersionWarning` is for the
    estimators of scikit-learn.

    Parameters
    ----------
    estimator_name : str
        The class of the estimator.

    current_skmix_version : str
        The version that reads.

    original_skmix_version : str
        The version that wrote, "unknown" where the pickle does not say.

    Examples
    --------
    >>> import pickle
    >>> import warnings
    >>> from skmix import GaussianMixture
    >>> from skmix.exceptions import InconsistentVersionWarning
    >>> written = pickle.dumps(GaussianMixture().fit([[0.0], [1.0]]))
    >>> with warnings.catch_warnings():  # nothing to fear from a pickle of this version
    ...     warnings.simplefilter("error", InconsistentVersionWarning)
    ...     mixture = pickle.loads(written)
    """

    def __init__(
        self, *, estimator_name: str, current_skmix_version: str, original_skmix_version: str
    ):
        self.estimator_name = estimator_name
        self.current_skmix_version = current_skmix_version
        self.original_skmix_version = original_skmix_version

    def __str__(self) -> str:
        """Say which versions wrote and read, and what to do."""
        return (
            f"{self.estimator_name} was pickled by skmix {self.original_skmix_version}, but is "
            f"loaded by skmix {self.current_skmix_version}: results may be wrong. Fit it again, "
            "or load it with the version that pickled it."
        )


def user_level() -> int:
    """Stack level, for `warnings.warn`, of whoever called into the package."""
    level = 1
    frame = sys._getframe(1)
    inside = (
        "skmix.",
        "sklearn.base",
        "sklearn.utils._set_output",
        "sklearn.utils._param_validation",
        "contextlib",
    )
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(inside):
        frame = frame.f_back
        level += 1
    return level
