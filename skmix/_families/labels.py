"""Labels of rows that say from which components they may come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._rows.sources import MIN_CHUNK_ROWS, Scratch
from .gaussian_form import log_of_weights


class LabelParams(NamedTuple):
    """Parameters of a mixture that only knows labels."""

    weights: np.ndarray  # (n_components,)


class LabelStatistics(NamedTuple):
    """Sums over the rows, weighted by responsibilities."""

    counts: np.ndarray  # (n_components,)


class LabelForm:
    """One pass over labels at fixed weights; see :class:`~skmix._families.Form`."""

    row_term_total = 0.0
    min_chunk_rows = MIN_CHUNK_ROWS
    parts_per_row = 1

    def __init__(self, label_of: np.ndarray, params: LabelParams, dtype: Any) -> None:
        self.n_components = len(label_of)
        self.dtype = np.dtype(dtype)
        self.bytes_per_row = 8 + 2 * self.dtype.itemsize * self.n_components
        own = np.arange(max(label_of.max(), 0) + 1) == label_of[:, None]
        log_weights = log_of_weights(params.weights, self.dtype)[:, None]
        table = np.where(own, log_weights, -np.inf)
        # The last column is for rows without a label, whose number is -1.
        self._table = np.hstack([table, log_weights]).astype(self.dtype)

    def features(self, X: np.ndarray, scratch: Scratch) -> np.ndarray:
        """Return the labels as integers, (n_chunk,)."""
        return X[:, 0].astype(np.intp)

    def log_density(self, features: np.ndarray, out: np.ndarray, scratch: Scratch) -> None:
        """Write the log weights of components of the label of a row, minus infinity of others.

        A row without a label may come from all.
        """
        np.copyto(out, self._table[:, features])

    def finer(self, peak: np.ndarray) -> None:
        """Labels are exact."""
        return None

    def row_term(self, features: np.ndarray, scratch: Scratch) -> float:
        """Return 0: nothing is left out of the log density."""
        return 0.0

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for the counts."""
        return [np.zeros(self.n_components)]

    def add(
        self, totals: list[np.ndarray], features: np.ndarray, resp: np.ndarray, scratch: Scratch
    ) -> None:
        """Add responsibilities."""
        totals[0] += resp.sum(axis=1, dtype=np.float64)

    def statistics(self, totals: list[np.ndarray]) -> LabelStatistics:
        """Name the counts."""
        return LabelStatistics(totals[0])


class Labels:
    """One column with the labels of rows: a row comes from a component of its label.

    As a part of a product it keeps rows and components of different labels apart, while other
    parts may share something between all components; see :class:`~skmix._families.Family`.

    Parameters
    ----------
    label_of : ndarray of shape (n_components,)
        The label of every component, an integer from 0 on; -1 for components of rows without a
        label, which is -1 as well, alone.
    """

    def __init__(self, label_of: np.ndarray) -> None:
        self.label_of = label_of

    def prepare(self, params: LabelParams, dtype: Any) -> LabelForm:
        """Look the log weights up that rows of every label meet."""
        return LabelForm(self.label_of, params, dtype)

    def maximize(self, params: LabelParams, statistics: LabelStatistics) -> LabelParams:
        """Return shares of the rows."""
        return LabelParams(statistics.counts / statistics.counts.sum())

    def refine(self, params: Any, form: Any, statistics: Any, new_params: Any) -> None:
        """Return None: sums of responsibilities lose no digits."""
        return None

    def forms_for_scoring(self, params: LabelParams, dtype: Any) -> Callable[..., LabelForm]:
        """Return one form that serves all rows."""
        form = self.prepare(params, dtype)
        return lambda X: form

    def n_components(self, params: LabelParams) -> int:
        """Return the number of components."""
        return len(params.weights)

    def n_parameters(self, params: LabelParams) -> int:
        """Return the number of free weights: what label a component has is known."""
        return len(params.weights) - 1

    def sample(
        self, params: LabelParams, component: int, n_samples: int, rng: np.random.RandomState
    ) -> np.ndarray:
        """Return the label of a component, (n_samples, 1)."""
        return np.full((n_samples, 1), self.label_of[component])

    # What acceleration needs: weights are those of other parts ---------------------------------

    def coordinates(self, params: LabelParams) -> np.ndarray:
        """Return nothing."""
        return np.empty(0)

    def from_coordinates(self, coordinates: np.ndarray, fallback: LabelParams) -> LabelParams:
        """Return the same parameters."""
        return fallback

    def log_prior(self, params: LabelParams) -> float:
        """Return 0: nothing is added to the log-likelihood."""
        return 0.0
