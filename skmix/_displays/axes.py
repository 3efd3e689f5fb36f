"""What the displays share."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from .._mixtures.criteria import last_step


def get_ax(display: Any, ax: Any) -> Any:
    """Return the axes to draw on, new ones where there are none, and remember them."""
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def fitted_mixture(estimator: Any, needs: str, display: str) -> Any:
    """Return the fitted mixture in an estimator: itself, a last step, or a `mixture_` inside."""
    mixture = last_step(estimator)
    mixture = getattr(mixture, "mixture_", mixture)
    if hasattr(mixture, "fit"):
        check_is_fitted(mixture)
    if not hasattr(mixture, needs):
        raise TypeError(
            f"{display} needs a fitted mixture with the attribute {needs!r}, but {mixture!r} has "
            "none. Give it a mixture, such as skmix.GaussianMixture, a Pipeline that ends in one, "
            "or an estimator that keeps one as mixture_."
        )
    return mixture
