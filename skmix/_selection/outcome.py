"""The outcome of a choice: the chosen mixture, and the table of all candidates."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

SHOWN = 20  # candidates in a notebook


@dataclass(frozen=True, eq=False, repr=False)
class MixtureSelection:
    """Outcome of :func:`select_mixture`.

    Attributes
    ----------
    best_estimator_ : estimator
        The chosen candidate, fitted to all rows.

    best_params_ : dict
        Its parameters in the grid.

    best_index_ : int
        Its place in `cv_results_`.

    best_score_ : float
        Its criterion: lower is better, except for 'cv', the mean held-out log-likelihood per row
        (nats).

    criterion : str
        What was chosen by.

    cv_results_ : dict of array-like
        One entry per candidate, in the order of the grid, as described in
        :func:`select_mixture`.
    """

    best_estimator_: Any
    best_params_: dict[str, Any]
    best_index_: int
    best_score_: float
    criterion: str
    cv_results_: dict[str, Any]

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable component of every row, by the chosen mixture."""
        return self.best_estimator_.predict(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the responsibilities of the components for every row, by the chosen mixture."""
        return self.best_estimator_.predict_proba(X)

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the log density of every row (nats), by the chosen mixture."""
        return self.best_estimator_.score_samples(X)

    def to_frame(self) -> Any:
        """Return `cv_results_` as a pandas DataFrame, one row per candidate."""
        import pandas as pd

        return pd.DataFrame(self.cv_results_).infer_objects()

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the choice, and the candidates in the order of rank."""
        shown = ("rank", "n_parameters", self._column, "degenerate", "converged")
        order = np.argsort(self.cv_results_["rank"], kind="stable")[:SHOWN]
        heads = "".join(f"<th>{name}</th>" for name in ("candidate", *shown))
        lines = []
        for i in order:
            values = [self.cv_results_[name][i] for name in shown]
            cells = [str(self.cv_results_["params"][i]), *(_cell(value) for value in values)]
            lines.append("".join(f"<td>{escape(cell)}</td>" for cell in cells))
        rows = "".join(f"<tr>{line}</tr>" for line in lines)
        more = len(self.cv_results_["rank"]) - len(order)
        left_out = f"<p>and {more} more candidates</p>" if more else ""
        return f"<p>{escape(repr(self))}</p><table><tr>{heads}</tr>{rows}</table>{left_out}"

    @property
    def _column(self) -> str:
        """Name of the column of the criterion."""
        return "mean_test_score" if self.criterion == "cv" else self.criterion

    def __repr__(self) -> str:
        n_candidates = len(self.cv_results_["params"])
        return (
            f"MixtureSelection({self.best_params_}, {self.criterion}={self.best_score_:.6g}, best "
            f"of {n_candidates} candidates)"
        )


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
