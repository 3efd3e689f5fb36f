"""Runs of EM of Gaussian mixtures side by side, on a few rows whose features are computed once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._engine.em import expect_runs, statistics_of
from .._families import GaussianFamily, GaussianForm, GaussianParams
from .._rows.sources import ArraySource
from .spikes import on_few_rows

# Log densities of all runs for so many rows at a time when runs are judged.
JUDGED = 2**19
# Features of so many bytes are kept; more are computed again in every pass.
KEPT_BYTES = 4 * 2**20


class Runs(NamedTuple):
    """Several runs, whose components follow one another; all weights add up to 1."""

    params: GaussianParams
    bounds: np.ndarray  # (n_runs,), mean log-likelihood per row (nats)
    gains: np.ndarray  # (n_runs,), of the last iteration

    @property
    def n_runs(self) -> int:
        """Number of runs."""
        return len(self.bounds)

    def take(self, chosen: Any) -> Runs:
        """Return some of the runs."""
        chosen = np.asarray(chosen)

        def of(field):
            parts = field.reshape(self.n_runs, -1, *field.shape[1:])[chosen]
            return parts.reshape(-1, *field.shape[1:])

        params = GaussianParams(*map(of, self.params))
        params = params._replace(weights=params.weights * (self.n_runs / len(chosen)))
        return Runs(params, self.bounds[chosen], self.gains[chosen])

    def weights(self) -> np.ndarray:
        """Return the weights of every run (n_runs, n_components)."""
        return self.params.weights.reshape(self.n_runs, -1) * self.n_runs


def join(several: list[Runs]) -> Runs:
    """Put runs one after the other."""
    n_runs = sum(runs.n_runs for runs in several)
    fields = list(zip(*(runs.params for runs in several), strict=True))
    fields[0] = tuple(runs.params.weights * (runs.n_runs / n_runs) for runs in several)
    bounds, gains = (np.concatenate([runs[i] for runs in several]) for i in (1, 2))
    return Runs(GaussianParams(*map(np.concatenate, fields)), bounds, gains)


class RunsOfRows:
    """EM of several runs on distinct, complete rows.

    Parameters
    ----------
    source : ArraySource
        The rows, with weights.

    family : GaussianFamily
        Bound to these rows.

    n_components : int

    rounding : ndarray of shape (n_features,)
        Variances of rounding, in the units of the rows: see `rounding_variances`.

    share : float
        The share of all distinct rows that these are.

    hard : bool
        Whether every row counts for its most probable component alone.
    """

    def __init__(
        self,
        source: ArraySource,
        family: GaussianFamily,
        n_components: int,
        rounding: np.ndarray,
        share: float,
        hard: bool,
    ):
        self.shared = family.shared_covariance
        self.family = family.side_by_side(n_components)
        self.n_components, self.share, self.hard = n_components, share, hard
        self.n_features = source.n_features
        self.rounding = rounding / family.frame.scale**2
        self.weight = weights_of(source)
        self.source, self.form_type = source, GaussianForm
        form = self._form(None, np.zeros((1, self.n_features)))
        if 8 * form.n_features_out * source.n_samples <= KEPT_BYTES:
            features = np.empty((form.n_features_out, source.n_samples))
            features[:] = form.features(source.X, source.scratch)
            self.source, self.form_type = ArraySource(features.T, self.weight), KeptFeatures

    def _form(self, params: GaussianParams | None, about: np.ndarray) -> GaussianForm:
        centred = np.zeros(len(about), dtype=bool)
        return self.form_type(self.family, params, dtype=np.float64, centred=centred, about=about)

    def one(self, params: GaussianParams) -> Runs:
        """Return parameters of the family as a run."""
        covariances = self.family.covariances(params)
        params = params._replace(covariances=covariances)
        if self.shared:
            params = params._replace(
                covariances=covariances[None],
                precisions_cholesky=params.precisions_cholesky[None],
            )
        unknown = np.full(1, -np.inf)
        return Runs(params, unknown, -unknown)

    def start(self, labels: np.ndarray, pseudo_rows: np.ndarray | None = None) -> Runs:
        """Maximise once from labels (n_runs, n_rows).

        The covariance of a few rows is no start: that of all clusters of a run counts as
        `pseudo_rows` (n_runs,) rows, by default one more than there are features.
        """
        n_runs, k = len(labels), self.n_components
        if pseudo_rows is None:
            pseudo_rows = np.full(n_runs, self.n_features + 1.0)
        about = np.zeros((n_runs * k, self.n_features))
        form = self._form(None, about)

        def resp_of(rows, out):
            members = labels[:, None, rows] == np.arange(k)[:, None]
            out[:] = members.reshape(out.shape)

        covariances = self.family.unit_covariances(n_runs * k, self.n_features)
        weights = np.full(n_runs * k, 1.0 / (n_runs * k))
        fallback = GaussianParams(weights, about, None, covariances)
        params = self._maximize(fallback, statistics_of(self.source, form, resp_of), n_runs)
        if not self.shared:
            params = self._shrunk(params, n_runs, pseudo_rows)
        unknown = np.full(n_runs, -np.inf)
        return Runs(params, unknown, -unknown)

    def _shrunk(self, params, n_runs: int, pseudo_rows: np.ndarray) -> GaussianParams:
        """Shrink the covariances of every run towards its pooled one."""
        shape = params.covariances.shape
        covariances = params.covariances.reshape(n_runs, self.n_components, -1)
        share = params.weights.reshape(n_runs, -1, 1) * n_runs
        pooled = (share * covariances).sum(axis=1, keepdims=True)
        pseudo = (pseudo_rows / self.source.n_samples)[:, None, None]
        covariances = (share * covariances + pseudo * pooled) / np.maximum(share + pseudo, 1e-300)
        covariances = np.where(share > 0, covariances, pooled).reshape(shape)
        params = params._replace(covariances=covariances)
        factored = self.family.likeliest(params, covariances, params.weights)
        return GaussianParams(params.weights, params.means, *factored)

    def _maximize(self, params, statistics, n_runs: int) -> GaussianParams:
        if self.family.shrinkage == 0.0 or n_runs == 1:
            return self.family.maximize(params, statistics)
        # Covariances are pooled over the components of one run.
        k, parts = self.n_components, []
        for first in range(0, n_runs * k, k):
            own = slice(first, first + k)
            of_run = params._make(None if f is None else f[own] for f in params)
            sums = statistics._make(f[own] for f in statistics)
            parts.append(self.family.maximize(of_run, sums))
        fields = [np.concatenate(field) for field in zip(*parts, strict=True)]
        fields[0] /= n_runs
        return GaussianParams(*fields)

    def step(self, runs: Runs) -> Runs:
        """Make one iteration of all runs."""
        noisy = self.family.with_noise(runs.params)
        form = self._form(noisy, np.zeros_like(noisy.means))
        bounds, statistics = expect_runs(self.source, form, runs.n_runs, hard=self.hard)
        bounds = bounds / self.source.total_weight
        params = self._maximize(runs.params, statistics, runs.n_runs)
        return Runs(params, bounds, bounds - runs.bounds)

    def advance(self, runs: Runs, n_iter: int, tol: float) -> Runs:
        """Make some iterations, fewer where all runs gain less than `tol`."""
        for _ in range(n_iter):
            runs = self.step(runs)
            if np.all(np.abs(runs.gains) < tol):
                break
        return runs

    def judge(self, runs: Runs) -> tuple[np.ndarray, np.ndarray]:
        """Return the bounds at the resolution of the rows, and a mask of spikes (n_runs, k)."""
        params = self.family.with_noise(runs.params)
        if np.any(self.rounding > 0):
            covariances = self.family.covariances(params).copy()
            covariances = self.family.add_to_variances(covariances, self.rounding)
            params = GaussianParams(params.weights, params.means, *self.family.factor(covariances))
        form = self._form(params, np.zeros_like(params.means))
        n_rows, n_runs, k = self.source.n_samples, runs.n_runs, self.n_components
        labels = np.empty((n_runs, n_rows), dtype=np.int64)
        totals = np.zeros(n_runs)
        step = max(1, JUDGED // (n_runs * k + form.n_features_out))
        for first in range(0, n_rows, step):
            rows = slice(first, first + step)
            features = form.features(self.source.X[rows], self.source.scratch)
            joint = (form.coefficients @ features).reshape(n_runs, k, -1)
            np.argmax(joint, axis=1, out=labels[:, rows])
            peak = np.take_along_axis(joint, labels[:, None, rows], axis=1)[:, 0]
            if not self.hard:
                joint -= peak[:, None]
                np.maximum(joint, -700.0, out=joint)
                peak += np.log(np.exp(joint, out=joint).sum(axis=1))
            totals += peak @ self.weight[rows]
        bounds = (totals + form.row_term_total) / self.source.total_weight + np.log(n_runs)
        if self.family.bounded:
            return bounds, np.zeros((n_runs, k), dtype=bool)
        most = (self.n_features + 1) * self.share
        return bounds, np.array([on_few_rows(own, self.weight, k, most) for own in labels])

    def params(self, runs: Runs, i: int) -> GaussianParams:
        """Return the parameters of one run as the family has them."""
        params = runs.take([i]).params
        if not self.shared:
            return params
        covariances = self.family.covariances(params)
        factors = params.precisions_cholesky[0]
        return params._replace(covariances=covariances[0], precisions_cholesky=factors)


class KeptFeatures(GaussianForm):
    """A form for rows that are features already."""

    def features(self, X, scratch):
        """Return what was computed before."""
        return X.T


def weights_of(source: ArraySource) -> np.ndarray:
    """Return the weights of the rows, ones where none are given."""
    if source.sample_weight is None:
        return np.ones(source.n_samples)
    return source.sample_weight
