"""One pass over the rows with components that are linear in features of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._rows.sources import MIN_CHUNK_ROWS, Scratch
from .gaussian_form import MAX_SUMMED_ROWS, log_of_weights
from .protocols import NO_DENSITY, Candidates

if TYPE_CHECKING:
    from .linear import LinearFamily

# Rounding of a log density in float32 may reach this much (nats); beyond it, float64 is used.
MAX_ROUNDING = 1e-3
FLOAT32_EPS = float(np.finfo(np.float32).eps)


class LinearStatistics(NamedTuple):
    """Sums over the rows, weighted by responsibilities; they add.

    Examples
    --------
    >>> import numpy as np
    >>> from skmix.families import LinearStatistics
    >>> LinearStatistics(np.array([2.0, 1.0]), np.array([[3.0], [5.0]])).counts
    array([2., 1.])
    """

    counts: np.ndarray  # (n_components,)
    sums: np.ndarray  # (n_components, n_features_out), of the features


class LinearForm:
    """One pass over the rows at fixed parameters; see :class:`~skmix.families.Form`."""

    min_chunk_rows = MIN_CHUNK_ROWS
    parts_per_row = 1
    visits_blocks = True

    def __init__(self, family: LinearFamily, params: Any, dtype: np.dtype) -> None:
        self._family = family
        self.n_components = len(params.weights)
        coefficients = self._check(family.coefficients(params), "coefficients", 2)
        constants = self._check(family.constants(params), "constants", 1)
        if dtype == np.float32 and not _is_safe(coefficients, constants, family._largest):
            dtype = np.dtype(np.float64)
        self.dtype = dtype
        self._coefficients = coefficients.astype(dtype)
        self._offsets = (constants + log_of_weights(params.weights, dtype)).astype(dtype)
        self.row_term_total = family._row_term_total
        n_values = coefficients.shape[1] + family.n_features + 3 * self.n_components + 4
        self.bytes_per_row = dtype.itemsize * n_values
        self.bytes_of_features = dtype.itemsize * (coefficients.shape[1] + family.n_features)

    def _check(self, values: Any, name: str, ndim: int) -> np.ndarray:
        """Return what a method of the family made, in float64."""
        values = np.asarray(values, dtype=np.float64)
        if values.ndim == 0 and ndim == 1:
            values = np.full(self.n_components, values)
        if values.ndim != ndim or len(values) != self.n_components:
            raise ValueError(
                f"{type(self._family).__name__}.{name} returned shape {values.shape}, but the "
                f"first of {ndim} axes must have one entry per component, {self.n_components}."
            )
        bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
        if len(bad):
            raise ValueError(
                f"{type(self._family).__name__}.{name} is not finite for component {bad[0]}. Keep "
                "parameters off the boundary in `estimate`, for example by np.maximum(rates, "
                "1e-9)."
            )
        return values

    def features(self, X: np.ndarray, scratch: Scratch) -> tuple[np.ndarray, np.ndarray]:
        """Return the features (n_chunk, n_features_out), and the rows for the row term."""
        if X.dtype != self.dtype:
            rows = scratch.array("rows", X.shape, self.dtype)
            np.copyto(rows, X)
            X = rows
        features = np.asarray(self._family.features(X), dtype=self.dtype)
        if features.shape != (len(X), self._coefficients.shape[1]):
            raise ValueError(
                f"{type(self._family).__name__}.features returned shape {features.shape} for "
                f"{len(X)} rows, but coefficients are for {self._coefficients.shape[1]} features. "
                f"Return ({len(X)}, {self._coefficients.shape[1]})."
            )
        return features, X

    def log_density(
        self, features: tuple[np.ndarray, np.ndarray], out: np.ndarray, scratch: Scratch
    ) -> None:
        """Write log weight + log density, less the row term."""
        np.matmul(self._coefficients, features[0].T, out=out)
        np.add(out, self._offsets[:, None], out=out)

    def magnitudes(self, X: np.ndarray, scratch: Scratch) -> np.ndarray:
        """Return the sizes of the terms of every row's log density, for its component."""
        features, _ = self.features(X, scratch)
        labels = np.argmax(self._coefficients @ features.T + self._offsets[:, None], axis=0)
        sizes = np.einsum("nf,nf->n", np.abs(self._coefficients)[labels], np.abs(features))
        return sizes + np.abs(self._offsets[labels])

    def finer(self, peak: np.ndarray) -> None:
        """Return None: the largest features have chosen the precision."""
        return None

    def row_term(
        self, features: tuple[np.ndarray, np.ndarray], scratch: Scratch
    ) -> np.ndarray | float:
        """Return the part of the log density that all components share, (n_chunk,)."""
        term = self._family.row_term(features[1])
        return 0.0 if term is None else term

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for counts and sums of features."""
        return [np.zeros(self.n_components), np.zeros(self._coefficients.shape)]

    def add(
        self,
        totals: list[np.ndarray],
        features: tuple[np.ndarray, np.ndarray],
        resp: np.ndarray,
        scratch: Scratch,
    ) -> None:
        """Add responsibilities, and responsibilities times features."""
        counts, sums = totals
        counts += resp.sum(axis=1, dtype=np.float64)
        for start in range(0, resp.shape[1], MAX_SUMMED_ROWS):
            rows = slice(start, start + MAX_SUMMED_ROWS)
            sums += resp[:, rows] @ features[0][rows]

    def statistics(self, totals: list[np.ndarray]) -> LinearStatistics:
        """Name the sums."""
        return LinearStatistics(*totals)

    def block_features(self, X: np.ndarray, n_blocks: int, scratch: Scratch) -> np.ndarray:
        """Return the features of blocks, (n_blocks, n_rows, n_features_out)."""
        features, _ = self.features(X, scratch)
        return features.reshape(n_blocks, -1, features.shape[1])

    def block_log_density(
        self, features: np.ndarray, blocks: Candidates, out: np.ndarray, scratch: Scratch
    ) -> None:
        """Write log weight + log density of every block's candidates."""
        # What fills the lists up has the coefficients of some component.
        coefficients = self._coefficients.take(blocks.candidates, axis=0, mode="clip")
        np.matmul(coefficients, features.swapaxes(1, 2), out=out)
        offsets = np.append(self._offsets, self.dtype.type(NO_DENSITY))
        np.add(out, offsets[blocks.candidates][:, :, None], out=out)

    def block_add(
        self,
        totals: list[np.ndarray],
        features: np.ndarray,
        blocks: Candidates,
        resp: np.ndarray,
        scratch: Scratch,
    ) -> None:
        """Add responsibilities, also times features, to every block's candidates."""
        counts, sums = totals
        blocks.add_to(counts, resp.sum(axis=2, dtype=np.float64))
        blocks.add_to(sums, np.matmul(resp, features))


def _is_safe(coefficients: np.ndarray, constants: np.ndarray, largest: np.ndarray | None) -> bool:
    """Whether float32 rounds log densities of features up to `largest` by little."""
    if largest is None:
        return False
    terms = np.abs(coefficients) @ largest + np.abs(constants)
    return bool(FLOAT32_EPS * np.max(terms) < MAX_ROUNDING)
