r"""Mixtures that rows of random weights suggest: how uncertain the parameters of a fit are.

Draws for multiple imputation should vary by as much as is unknown of the missing cells, and the
parameters are not known either. The weighted likelihood bootstrap (M. A. Newton, A. E. Raftery,
"Approximate Bayesian inference with the weighted likelihood bootstrap", Journal of the Royal
Statistical Society B 56(1), 1994, :doi:`10.1111/j.2517-6161.1994.tb01956.x`) gives every row a
weight from the exponential distribution, and fits again.

Maximum likelihood makes residuals of n rows on d columns too small by the factor
:math:`(n - d) / n`, which matters where rows are few, and rows of random weights count for about
half as many. Covariances are divided by it: intervals for a mean of 24 values, half of them
missing, covered in 281 of 300 repetitions, and in 273 without refits (nominal .95,
`benchmarks/missing_values.py --sections coverage --repetitions 300`).
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from .._interface import survey
from .._interface.chunks import Chunks
from .._mixtures.gaussian import GaussianMixture
from .._mixtures.known import Known
from ..exceptions import DegenerateComponentWarning

# Covariances are not more than so many times those of the fit.
MOST = 2.0


class Drawn(NamedTuple):
    """Rows with random weights."""

    rows: Any
    sample_weight: np.ndarray | None  # None where the rows have their own
    total: float  # of the weights
    squares: float  # sum of their squares


class RowsToWeigh:
    """Rows of an array that get random weights: one of weight w the sum of w weights.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows, NaN where a cell is missing.

    sample_weight : ndarray of shape (n_samples,) or None
        Their weights.
    """

    def __init__(self, X: np.ndarray, sample_weight: np.ndarray | None) -> None:
        shape = np.ones(len(X)) if sample_weight is None else sample_weight
        keep = shape > 0
        self._rows, self._shape = X[keep], shape[keep]
        self.share_seen = _share(np.isnan(self._rows).sum(axis=0), len(self._rows))

    def drawn(self, rng: np.random.RandomState) -> Drawn:
        """Draw weights for the rows."""
        weight = rng.standard_gamma(self._shape)
        return Drawn(self._rows, weight, float(weight.sum()), float(weight @ weight))


class ChunksToWeigh:
    """Rows in chunks that get random weights, those that the rows of one array would get.

    Parameters
    ----------
    chunks : Chunks
        The rows, seen as floats, NaN where a cell is missing.
    """

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        found = survey.weighing_by_chunk(chunks)
        self._shapes = dict(sorted(item for part in found for item in part.shapes.items()))
        n_rows = sum(int((shape > 0).sum()) for shape in self._shapes.values())
        n_missing = np.sum([part.n_missing for part in found], axis=0)
        self.share_seen = _share(n_missing, n_rows)

    def drawn(self, rng: np.random.RandomState) -> Drawn:
        """Draw weights for the rows, which are held in memory."""
        weights, total, squares = {}, 0.0, 0.0
        for number, shape in self._shapes.items():
            weight = np.zeros(len(shape))
            own = rng.standard_gamma(shape[shape > 0])
            weight[shape > 0] = own
            weights[number] = weight
            total, squares = total + float(own.sum()), squares + float(own @ own)
        return Drawn(self._chunks._reweighted(weights), None, total, squares)


def _share(n_missing: np.ndarray, n_rows: int) -> float:
    """Return the share of cells that were seen of columns in which some were not."""
    incomplete = n_missing > 0
    return float(1.0 - n_missing[incomplete].mean() / n_rows) if incomplete.any() else 1.0


def refit(
    mixture: GaussianMixture,
    rows: RowsToWeigh | ChunksToWeigh,
    n_refits: int,
    rng: np.random.RandomState,
) -> list[GaussianMixture]:
    """Fit a mixture again, from where it is, to the same rows with random weights."""
    return [_refit(mixture, rows.drawn(rng), rows.share_seen) for _ in range(n_refits)]


def _refit(mixture: GaussianMixture, drawn: Drawn, share_seen: float) -> GaussianMixture:
    again: Any = clone(mixture).set_params(
        weights_init=mixture.weights_ / mixture.weights_.sum(),
        means_init=mixture.means_,
        precisions_init=mixture.precisions_,
        n_init=1,
        verbose=0,
    )
    known = Known(reg_covar=mixture.reg_covar_, shrinkage=mixture._resolved_shrinkage())
    with again._knowing(known), warnings.catch_warnings():
        # The first fit has warned already.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        again.fit(drawn.rows, sample_weight=drawn.sample_weight)
    n_components, n_features = again.means_.shape
    correction = _correction(drawn, share_seen, n_components, n_features)
    covariances, features = again.covariances_ * correction, np.arange(n_features)
    return mixture._new_mixture(again.weights_, again.means_, covariances, features)


def _correction(drawn: Drawn, share_seen: float, n_components: int, n_features: int) -> float:
    """Return by what covariances of rows of random weights are multiplied."""
    n_rows = share_seen * drawn.total**2 / drawn.squares / n_components
    return n_rows / max(n_rows - n_features, n_rows / MOST)
