"""One pass over the rows with Gaussian components: see :class:`~skmix._families.Form`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._rows.sources import MIN_CHUNK_ROWS, Scratch

if TYPE_CHECKING:
    from .gaussian import GaussianFamily

LOG_2PI = float(np.log(2.0 * np.pi))

# Log densities so far from those at the means (nats), 130 standard deviations out, are wrong by
# 1e-3 in float32.
FAR = 1e-3 / float(np.finfo(np.float32).eps)
# Rounding grows with the number of rows that one product adds up: what longer chunks hold is added
# in float64.
MAX_SUMMED_ROWS = 1024


class GaussianParams(NamedTuple):
    """Parameters of a Gaussian mixture; the shapes of the last two depend on the family."""

    weights: np.ndarray  # (n_components,)
    means: np.ndarray  # (n_components, n_features)
    covariances: np.ndarray | None  # None where only precisions were given
    precisions_cholesky: np.ndarray


class GaussianStatistics(NamedTuple):
    """Sums over rows, weighted by responsibilities; they add."""

    counts: np.ndarray  # (n_components,)
    first: np.ndarray  # (n_components, n_features), about the origin
    second: np.ndarray  # shaped as the family's covariances, about `about`
    about: np.ndarray  # (n_components, n_features)


class GaussianForm:
    """One pass over the rows: see :class:`~skmix._families.Form`.

    Parameters
    ----------
    family : GaussianFamily
    params : GaussianParams or None
        None when responsibilities are given and no density will be asked for.
    dtype : dtype
        Of all products.
    centred : ndarray of bool, shape (n_components,)
        Components evaluated about `about`, one at a time.
    about : ndarray of shape (n_components, n_features)
        Origins of the second moments of the centred components.
    """

    min_chunk_rows = MIN_CHUNK_ROWS
    parts_per_row = 1
    incomplete = False  # whether it is for rows with missing cells

    def __init__(self, family: GaussianFamily, params, *, dtype, centred, about):
        self.family = family
        self.params = params
        self.dtype = np.dtype(dtype)
        self.n_components, self.n_features = about.shape
        self.centred = np.flatnonzero(centred)
        self.moment_form = len(self.centred) < self.n_components
        self.about = np.where(np.asarray(centred)[:, None], about, 0.0)
        self.n_features_out = self._count_features()
        n_values = self.n_features_out + self.n_components
        if len(self.centred):
            n_values += self.n_features
        self.bytes_per_row = self.dtype.itemsize * n_values
        self.row_term_total = 0.0
        if params is not None:
            self._prepare_densities(params)

    def _count_features(self) -> int:
        n_quadratic = self.family.n_quadratic(self.n_features) if self.moment_form else 0
        return 1 + self.n_features + n_quadratic

    def _prepare_densities(self, params: GaussianParams) -> None:
        n_features = self.n_features
        linear, quadratic = self.family.natural_parameters(params)
        log_weights = log_of_weights(params.weights, self.dtype)
        log_det = self.family.log_det_precision_cholesky(params) - self.family.frame.log_det
        at_mean = log_weights + log_det - 0.5 * n_features * LOG_2PI
        self.log_density_at_mean = at_mean
        if not self.moment_form:
            return
        self.coefficients = np.zeros((self.n_components, self.n_features_out), dtype=self.dtype)
        rest = np.ones(self.n_components, dtype=bool)
        rest[self.centred] = False
        at_origin = at_mean - 0.5 * np.einsum("kd,kd->k", params.means, linear)
        self.coefficients[rest, 0] = at_origin[rest]
        self.coefficients[rest, 1 : 1 + n_features] = linear[rest]
        self.coefficients[rest, 1 + n_features :] = quadratic[rest]
        self.row_term_total = self.family.row_term_total(params)

    def features(self, X: np.ndarray, scratch: Scratch) -> Any:
        """Return [1, z, quadratic terms of z] as rows."""
        features = scratch.array("features", (self.n_features_out, len(X)), self.dtype)
        features[0] = 1.0
        z = features[1 : 1 + self.n_features]
        self.family.frame.enter(X, out=z)
        if self.moment_form:
            self.family.fill_quadratic(z, features[1 + self.n_features :])
        return features

    def log_density(self, features: Any, out: np.ndarray, scratch: Scratch) -> None:
        """Write log weight + log density, less the row term."""
        if self.moment_form:
            np.matmul(self.coefficients, features, out=out)
        for k in self.centred.tolist():
            diff = self._diff(features, self.params.means[k], scratch)
            distance = self.family.mahalanobis(self.params, k, diff, scratch)
            np.multiply(distance, -0.5, out=out[k])
            out[k] += self.dtype.type(self.log_density_at_mean[k])

    def finer(self, peak: np.ndarray) -> GaussianForm | None:
        """Return the form in float64 where rows are too far from all components for float32."""
        if self.dtype == np.float64:
            return None
        centre = float(self.log_density_at_mean.max())
        if peak.min() > centre - FAR and peak.max() < centre + FAR:
            return None
        return self.in_float64

    @functools.cached_property
    def in_float64(self) -> GaussianForm:
        """The same form in float64; its sums add to those of this one."""
        centred = np.zeros(self.n_components, dtype=bool)
        centred[self.centred] = True
        return type(self)(
            self.family, self.params, dtype=np.float64, centred=centred, about=self.about
        )

    def row_term(self, features: Any, scratch: Scratch):
        """Return the part of the log density that all components share."""
        if not self.moment_form:
            return 0.0
        return self.family.row_term(self.params, features[1 : 1 + self.n_features], scratch)

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for moments of the features and centred second moments."""
        moments = np.zeros((self.n_components, self.n_features_out))
        return [moments, *self.family.zeros_centred(self.n_features, len(self.centred))]

    def add(self, totals, features: Any, resp: np.ndarray, scratch: Scratch) -> None:
        """Add responsibilities times features, and centred squares."""
        moments = scratch.array("moments", totals[0].shape, self.dtype)
        for start in range(0, features.shape[1], MAX_SUMMED_ROWS):
            rows = slice(start, start + MAX_SUMMED_ROWS)
            np.matmul(resp[:, rows], features[:, rows].T, out=moments)
            np.add(totals[0], moments, out=totals[0])
        for i, k in enumerate(self.centred):
            diff = self._diff(features, self.about[k], scratch)
            self.family.add_centred(totals[1:], i, diff, resp[k], scratch)

    def statistics(self, totals: list[np.ndarray]) -> GaussianStatistics:
        """Name the summed arrays."""
        moments, *centred_totals = totals
        d = self.n_features
        second = self.family.second_moments(moments[:, 1 + d :], self.centred, centred_totals)
        return GaussianStatistics(moments[:, 0], moments[:, 1 : 1 + d], second, self.about)

    def _diff(self, features: np.ndarray, origin: np.ndarray, scratch: Scratch) -> np.ndarray:
        z = features[1 : 1 + self.n_features]
        diff = scratch.array("diff", z.shape, self.dtype)
        np.subtract(z, origin.astype(self.dtype)[:, None], out=diff)
        return diff


def log_of_weights(weights: np.ndarray, dtype) -> np.ndarray:
    """Logarithms; a component of weight 0 gets no row, and log 0 no chance to become NaN."""
    negligible = -1e-8 * float(np.finfo(dtype).max)
    log_weights = np.full(len(weights), negligible)
    np.log(weights, out=log_weights, where=weights > 0)
    return log_weights
