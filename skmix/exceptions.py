"""Warnings that skmix raises beyond those of scikit-learn."""

import sys

__all__ = ["DegenerateComponentWarning"]


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
