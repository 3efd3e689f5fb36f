"""The coordinates in which a fit computes: centred on the data, every column of order one."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._rows.sources import Chunk, Scratch, Source


class Frame(NamedTuple):
    """Coordinates z = (x - reference) / scale.

    Scales are powers of two, so that going to the frame and back is exact. Sums of squares
    about the reference keep their digits whatever offset the data have, and whatever the unit
    of measurement.
    """

    reference: np.ndarray  # (n_features,)
    scale: np.ndarray  # (n_features,)
    radius: np.ndarray  # (n_features,), largest |z| of the data
    variances: np.ndarray  # (n_features,), of the data, in their units; 0 where constant

    @classmethod
    def identity(cls, n_features: int) -> Frame:
        """The frame that changes nothing, for rows of unknown size."""
        unknown = np.full(n_features, np.inf)
        return cls(np.zeros(n_features), np.ones(n_features), unknown, unknown)

    @classmethod
    def of_source(cls, source: Any, *, common_scale: bool = False) -> Frame:
        """Measure mean, spread and range of every column in one pass over the rows.

        ``common_scale`` gives all columns one scale, for components whose shape would not
        survive unequal ones.
        """
        origin = _first_values(source).astype(np.float64)
        sums, low, high = zip(*source.by_parts(partial(_spread, origin)), strict=True)
        sums = np.add.reduce(sums)
        shift, square = sums[:2] / (source.total_weight - sums[2])
        variance = np.maximum(square - shift**2, 0.0)
        # Kept in the type of the rows: subtracting it is then exact to rounding of the row.
        reference = (origin + shift).astype(source.dtype).astype(np.float64)
        # A column that is constant to rounding has no scale of its own.
        noise = np.finfo(source.dtype).eps * np.abs(reference)
        variances = np.where(np.sqrt(variance) > 4 * noise, variance, 0.0)
        if common_scale:
            variance = np.full_like(variance, variance.mean())
        scale = _power_of_two(np.where(np.sqrt(variance) > 4 * noise, np.sqrt(variance), 1.0))
        reach = np.maximum(np.fmax.reduce(high) - reference, reference - np.fmin.reduce(low))
        return cls(reference, scale, reach / scale, variances)

    @classmethod
    def of_components(
        cls, weights: np.ndarray, means: np.ndarray, variances: np.ndarray, *, common_scale: bool
    ) -> Frame:
        """The frame of a mixture, given component variances (n_components, n_features)."""
        share = weights / weights.sum()
        reference = share @ means
        variance = totals = share @ (variances + (means - reference) ** 2)
        if common_scale:
            variance = np.full_like(variance, variance.mean())
        anywhere = np.full_like(reference, np.inf)
        return cls(reference, _power_of_two(np.sqrt(variance)), anywhere, totals)

    @property
    def log_det(self) -> float:
        """Log of the volume of the frame's unit cube, in the units of the rows."""
        return float(np.log(self.scale).sum())

    def enter(self, X: np.ndarray, out: np.ndarray) -> None:
        """Write the rows, transposed to (n_features, n_rows), in the frame's coordinates."""
        dtype = np.result_type(X, out)
        np.subtract(X.T, self.reference.astype(dtype)[:, None], out=out)
        if np.any(self.scale != 1.0):
            np.multiply(out, (1.0 / self.scale).astype(out.dtype)[:, None], out=out)

    def leave(self, z: np.ndarray) -> np.ndarray:
        """Return coordinates (n_features, n_rows) as rows in their own units."""
        return (z * self.scale[:, None] + self.reference[:, None]).T


def _spread(
    origin: np.ndarray, source: Source, first: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sums, sums of squares, missing weight (3, n_features), the least and the greatest.

    Sums are about `origin`, an observed value of each column, which is among the extremes.
    """
    lows, highs = [origin], [origin]

    def zeros() -> Any:
        return [np.zeros((3, len(origin)))]

    def add(chunk: Chunk, totals: list[np.ndarray], scratch: Scratch) -> None:
        shifted = scratch.array("features", chunk.X.shape, np.float64)
        lowest = chunk.X.min(axis=0)
        incomplete = bool(np.isnan(lowest).any())
        lows.append(np.fmin.reduce(chunk.X) if incomplete else lowest)
        highs.append(np.fmax.reduce(chunk.X) if incomplete else chunk.X.max(axis=0))
        np.subtract(chunk.X, origin, out=shifted)
        weight = np.ones(len(shifted)) if chunk.sample_weight is None else chunk.sample_weight
        if incomplete:
            missing = np.isnan(shifted)
            totals[0][2] += weight @ missing
            shifted[missing] = 0.0
        totals[0][0] += weight @ shifted
        np.multiply(shifted, shifted, out=shifted)
        totals[0][1] += weight @ shifted

    (sums,) = source.reduce(add, zeros, 8 * len(origin))
    low, high = np.fmin.reduce(lows), np.fmax.reduce(highs)
    return sums, low.astype(np.float64), high.astype(np.float64)


def _first_values(source: Source) -> np.ndarray:
    """First observed value of every column."""
    values, *others = source.by_parts(_first_of_part)
    for other in others:
        values = np.where(np.isnan(values), other, values)
    return values


def _first_of_part(source: Source, first: int, step: int = 1024) -> np.ndarray:
    values = source.take(slice(0, 1)).X[0].copy()
    for start in range(0, source.n_samples, step):
        empty = np.flatnonzero(np.isnan(values))
        if len(empty) == 0:
            break
        X = source.take(slice(start, start + step)).X[:, empty]
        rows = np.argmax(~np.isnan(X), axis=0)
        values[empty] = X[rows, np.arange(len(empty))]
    return values


def _power_of_two(x: np.ndarray) -> np.ndarray:
    return np.exp2(np.round(np.log2(x)))
