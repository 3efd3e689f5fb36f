"""Forms of Gaussian components for rows with missing cells (NaN).

Both maximise the likelihood of the observed cells: statistics are those of the completed rows,
expected under the parameters of the pass, so that `maximize` need not know what was missing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._linalg.conditioner import NEGLIGIBLE, Conditioned
from .._rows.sources import Scratch
from .gaussian_form import (
    LOG_2PI,
    GaussianForm,
    GaussianParams,
    GaussianStatistics,
    log_of_weights,
)

# Conditioning is many short operations: the more rows they share, the better, on one thread (half
# the time with 9000 rows instead of 1700) and more so on four (a quarter).
MAX_CHUNK_BYTES = 32 * 2**20
MIN_ROWS, MAX_ROWS = 64, 2**14


class MaskedForm(GaussianForm):
    """Independent features: missing cells drop out of every sum.

    Features: 1, z and its quadratic terms with zeros for missing cells, and a 1 for every
    observed cell, which carries the part of the log density that does not depend on z.
    """

    incomplete = True

    def _count_features(self) -> int:
        n_quadratic = self.family.n_quadratic(self.n_features)
        return 1 + 2 * self.n_features + n_quadratic

    def _prepare_densities(self, params: GaussianParams) -> None:
        d = self.n_features
        linear, quadratic = self.family.natural_parameters(params)
        at_mean = -0.5 * np.log(self.family.pivots(params)) - 0.5 * LOG_2PI
        at_mean = np.broadcast_to(at_mean, linear.shape) - np.log(self.family.frame.scale)
        self.coefficients = np.zeros((self.n_components, self.n_features_out), dtype=self.dtype)
        rest = np.setdiff1d(np.arange(self.n_components), self.centred)
        self.coefficients[:, 0] = log_of_weights(params.weights, self.dtype)
        self.coefficients[:, -d:] = at_mean
        self.coefficients[rest, 1 : 1 + d] = linear[rest]
        self.coefficients[rest, 1 + d : -d] = quadratic[rest]
        self.coefficients[rest, -d:] = (at_mean - 0.5 * params.means * linear)[rest]
        self.log_density_at_mean = self.coefficients[:, 0] + at_mean.sum(axis=1)

    def features(self, X: np.ndarray, scratch: Scratch) -> np.ndarray:
        """Return [1, z, quadratic terms of z, observed] as rows, zero where missing."""
        d = self.n_features
        features = scratch.array("features", (self.n_features_out, len(X)), self.dtype)
        features[0] = 1.0
        z, observed = features[1 : 1 + d], features[-d:]
        self.family.frame.enter(X, out=z)
        np.equal(z, z, out=observed, casting="unsafe")
        np.copyto(z, 0.0, where=observed == 0.0)
        self.family.fill_quadratic(z, features[1 + d : -d])
        return features

    def log_density(self, features: np.ndarray, out: np.ndarray, scratch: Scratch) -> None:
        """Write log weight + log density of the observed cells."""
        np.matmul(self.coefficients, features, out=out)
        for k in self.centred.tolist():
            diff = self._diff(features, self.params.means[k], scratch)
            out[k] -= 0.5 * self.family.mahalanobis(self.params, k, diff, scratch)

    def row_term(self, features: np.ndarray, scratch: Scratch) -> Any:
        """Components share no part of the log density."""
        return 0.0

    def _diff(
        self, features: np.ndarray, origin: np.ndarray, scratch: Scratch, *, fine: bool = False
    ) -> np.ndarray:
        diff = super()._diff(features, origin, scratch)
        return np.multiply(diff, features[-self.n_features :], out=diff)

    def statistics(self, totals: list[np.ndarray]) -> GaussianStatistics:
        """Name the sums, and complete them by the expectations of the missing cells."""
        moments, *centred_totals = totals
        d = self.n_features
        counts, first, quadratic = moments[:, 0], moments[:, 1 : 1 + d], moments[:, 1 + d : -d]
        second = self.family.second_moments(quadratic, self.centred, centred_totals)
        missing = np.maximum(counts[:, None] - moments[:, -d:], 0.0)
        means, variances = self.params.means, self.family.pivots(self.params)
        squares = missing * (variances + (means - self.about) ** 2)
        second += squares.reshape(len(counts), *second.shape[1:], -1).sum(axis=-1)
        return GaussianStatistics(counts, first + missing * means, second, self.about)

    def posterior(self, features: np.ndarray, resp: np.ndarray, *, with_variance: bool) -> Any:
        """Return means and variances (n_features, n) of the missing cells."""
        means = self.params.means
        mean = means.T @ resp
        if not with_variance:
            return mean, None
        variance = np.broadcast_to(self.family.pivots(self.params), means.shape).T @ resp
        for k in range(self.n_components):
            variance += resp[k] * (means[k][:, None] - mean) ** 2
        return mean, variance

    def draw(self, k: int, z: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Draw the missing cells of rows z (n_features, n) from the k-th component."""
        return (
            self.params.means[k][:, None]
            + self.family.draw_noise(self.params, k, z.shape[1], rng).T
        )


class ConditionalForm(GaussianForm):
    """Correlated features: missing cells are inferred from the observed ones.

    Always in float64 and about one origin per component, since each of them completes a row in
    its own way.
    """

    incomplete = True
    family: Any

    @classmethod
    def prepared(cls, family: Any, params: GaussianParams) -> ConditionalForm:
        """A form for rows of any size."""
        return cls(family, params, dtype=np.float64, centred=None, about=params.means)

    def __init__(
        self, family: Any, params: Any, *, dtype: Any, centred: Any, about: np.ndarray
    ) -> None:
        everything = np.ones(len(about), dtype=bool)
        super().__init__(family, params, dtype=np.float64, centred=everything, about=about)
        d = self.n_features
        self.bytes_per_row = 8 * (self.n_components * (d + 2 * min(d, 8)) + 4 * d)
        affordable = MAX_CHUNK_BYTES // self.bytes_per_row
        self.min_chunk_rows = int(np.clip(affordable, MIN_ROWS, MAX_ROWS))

    def _count_features(self) -> int:
        return self.n_features

    def _prepare_densities(self, params: GaussianParams) -> None:
        self.conditioner = self.family.conditioner(params)
        self.log_weights = log_of_weights(params.weights, self.dtype)
        self.log_scales = np.log(self.family.frame.scale)

    def features(
        self, X: np.ndarray, scratch: Scratch, noise_variance: np.ndarray | None = None
    ) -> Conditioned:
        """Condition every component on the observed cells, or on noisy observations of them.

        `noise_variance` (1 or n, n_features) is in squared units of the rows.
        """
        z = scratch.array("features", (self.n_features, len(X)), self.dtype)
        self.family.frame.enter(X, out=z)
        if noise_variance is not None:
            noise_variance = noise_variance.T / self.family.frame.scale[:, None] ** 2
        rows = self.conditioner.sort(z, noise_variance)
        return self.conditioner.condition(rows, scratch)

    def log_density(self, features: Conditioned, out: np.ndarray, scratch: Scratch) -> None:
        """Write log weight + log density of the observed cells."""
        log_prob = features.log_density + self.log_weights[:, None]
        log_prob -= self.log_scales @ features.rows.observed
        out[:, features.rows.order] = log_prob

    def row_term(self, features: Conditioned, scratch: Scratch) -> Any:
        """Components share no part of the log density."""
        return 0.0

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for counts, first moments, conditional covariances, second moments."""
        counts, first = np.zeros(self.n_components), np.zeros(self.about.shape)
        second = self.family.zeros_centred(self.n_features, self.n_components)
        return [counts, first, *self.conditioner.zeros(), *second]

    def add(
        self, totals: list[np.ndarray], features: Conditioned, resp: np.ndarray, scratch: Scratch
    ) -> None:
        """Add responsibilities times expectations of the completed rows and their squares."""
        counts, first, *covariances, second = self._split(totals)
        resp = resp[:, features.rows.order]
        resp[resp < NEGLIGIBLE] = 0.0
        counts += resp.sum(axis=1)
        self.conditioner.add_covariances(covariances, features.rows, resp)
        for k in range(self.n_components):
            rows = np.flatnonzero(resp[k])
            diff = features.deviation(k, rows)
            diff += (self.params.means[k] - self.about[k])[:, None]
            first[k] += diff @ resp[k, rows]
            self.family.add_centred(second, k, diff, resp[k, rows], scratch)

    def _split(self, totals: list[np.ndarray]) -> Any:
        return [*totals[:6], totals[6:]]

    def statistics(self, totals: list[np.ndarray]) -> GaussianStatistics:
        """Name the sums."""
        counts, first, *covariances, second = self._split(totals)
        squares = self.family.second_moments(
            np.empty((self.n_components, 0)), self.centred, second
        )
        squares += self.conditioner.sum_covariances(covariances).reshape(squares.shape)
        first = first + counts[:, None] * self.about
        return GaussianStatistics(counts, first, squares, self.about)

    def posterior(self, features: Conditioned, resp: np.ndarray, *, with_variance: bool) -> Any:
        """Return means and variances (n_features, n) of the cells that are not known."""
        rows = features.rows
        resp = resp[:, rows.order]
        used = [np.flatnonzero(weight > NEGLIGIBLE) for weight in resp]
        completed = [features.deviation(k, columns) for k, columns in enumerate(used)]
        mean = np.zeros(rows.z.shape)
        for k, columns in enumerate(used):
            completed[k] += self.params.means[k][:, None]
            mean[:, columns] += resp[k, columns] * completed[k]
        back = np.argsort(rows.order)
        if not with_variance:
            return mean[:, back], None
        variance = np.zeros(rows.z.shape)
        for k, columns in enumerate(used):
            spread = self.conditioner.variances(rows, k, columns)
            spread += (completed[k] - mean[:, columns]) ** 2
            variance[:, columns] += resp[k, columns] * spread
        return mean[:, back], variance[:, back]

    def score_gradient(self, X: np.ndarray, features: Conditioned, resp: np.ndarray) -> np.ndarray:
        """Return the gradient of the log density (n_features, n), 0 where cells are missing."""
        gradient = np.zeros(features.rows.z.shape)
        resp = resp[:, features.rows.order]
        for k in range(self.n_components):
            gradient -= resp[k] * features.by_precision(k)
        return gradient[:, np.argsort(features.rows.order)]

    def draw(self, k: int, z: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Draw the missing cells of rows z (n_features, n) from the k-th component.

        A row is drawn as a whole and moved by what its observed cells are expected to change
        (Y. Hoffman, E. Ribak, 1991, :doi:`10.1086/186160`): no conditional covariance is needed.
        """
        noise = self.family.draw_noise(self.params, k, z.shape[1], rng).T
        alone = self.conditioner.component(k)
        rows = alone.sort(z - noise)
        drawn = np.empty_like(noise)
        drawn[:, rows.order] = alone.condition(rows, Scratch()).deviation(0, slice(None))
        drawn += noise
        return drawn + self.params.means[k][:, None]
