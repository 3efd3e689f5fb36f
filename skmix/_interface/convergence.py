"""Warnings of fits that did not end where they should."""

from __future__ import annotations

import warnings

from sklearn.exceptions import ConvergenceWarning

from ..exceptions import user_level


def warn_of_fall(fall: float, remedy: str) -> None:
    """Say that a fit is not what it should be, and what helps."""
    warnings.warn(
        f"The log-likelihood fell by {fall:.3g} nats per row in an iteration, which neither "
        f"regularisation nor rounding explains: the fit did not converge. {remedy}",
        ConvergenceWarning,
        stacklevel=user_level(),
    )
