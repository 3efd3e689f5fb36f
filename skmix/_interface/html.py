"""What notebooks show of a fitted mixture: facts of the fit below the name of the estimator."""

from __future__ import annotations

from typing import Any

try:  # scikit-learn 1.7 moved it
    from sklearn.utils._repr_html.estimator import _VisualBlock
except ImportError:
    try:
        from sklearn.utils._estimator_html_repr import _VisualBlock
    except ImportError:  # pragma: no cover
        _VisualBlock = None


class FittedFactsMixin:
    """Adds facts of the fit to scikit-learn's HTML diagram, alone and within pipelines."""

    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]

    def _fitted_facts(self) -> str:
        """Return a line on how the fit ended, empty before a fit."""
        if not hasattr(self, "lower_bound_"):
            return ""
        if not self.lower_bounds_:
            return "given parameters"
        ended = "converged" if self.converged_ else "not converged"
        return (
            f"{ended} after {self.n_iter_} iterations, log-likelihood {self.lower_bound_:.6g} "
            "nats per row"
        )

    if _VisualBlock is not None:

        def _sk_visual_block_(self) -> Any:
            return _VisualBlock(
                "single",
                self,
                names=type(self).__name__,
                name_details=str(self),
                name_caption=self._fitted_facts() or None,
            )
