"""One pass over the rows with Gaussian components: see :class:`~skmix._families.Form`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from .._rows.sources import MIN_CHUNK_ROWS, Scratch
from .protocols import NO_DENSITY, Candidates

if TYPE_CHECKING:
    from .gaussian import GaussianFamily

NONE = np.empty(0, dtype=np.int64)
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
    centred : ndarray of bool, shape (n_components,), default=None
        Components evaluated about `about`, one at a time; None stands for none.
    about : ndarray of shape (n_components, n_features), default=None
        Origins of the second moments of the centred components. Without them `params` tell the
        number of components.
    fine : ndarray of bool, shape (n_components,), default=None
        Centred components evaluated in float64 while the others are in `dtype`.
    """

    min_chunk_rows = MIN_CHUNK_ROWS
    parts_per_row = 1
    incomplete = False  # whether it is for rows with missing cells

    def __init__(
        self,
        family: GaussianFamily,
        params: Any,
        *,
        dtype: Any,
        centred: Any = None,
        about: np.ndarray | None = None,
        fine: Any = None,
    ) -> None:
        self.family = family
        self.params = params
        self.dtype = np.dtype(dtype)
        if about is None:
            about = np.zeros(params.means.shape)
        self.n_components, self.n_features = about.shape
        self.centred, self.about = NONE, about
        if centred is not None:
            self.centred = np.flatnonzero(centred)
            self.about = np.where(np.asarray(centred)[:, None], about, 0.0)
        self.fine = NONE if fine is None else np.flatnonzero(fine)
        self.moment_form = len(self.centred) < self.n_components
        self.n_features_out = self._count_features()
        n_values = self.n_features_out + self.n_components
        if len(self.centred):
            n_values += self.n_features
        self.bytes_per_row = self.dtype.itemsize * n_values
        if len(self.fine):
            self.bytes_per_row += 16 * self.n_features
        self.row_term_total = 0.0
        if params is not None:
            self._prepare_densities(params)

    def _count_features(self) -> int:
        n_quadratic = self.family.n_quadratic(self.n_features) if self.moment_form else 0
        return 1 + self.n_features + n_quadratic

    @property
    def visits_blocks(self) -> bool:
        """Whether densities are `coefficients` times features, and statistics sums of features."""
        return len(self.centred) == 0

    @property
    def bytes_of_features(self) -> int:
        """Bytes of the features of a row."""
        return self.dtype.itemsize * self.n_features_out

    @functools.cached_property
    def _filled_coefficients(self) -> np.ndarray:
        """Coefficients of all components, and of what fills lists of candidates up."""
        nothing = np.zeros((1, self.n_features_out), dtype=self.dtype)
        nothing[0, 0] = NO_DENSITY  # the first feature is 1
        return np.concatenate([self.coefficients, nothing])

    def block_features(self, X: np.ndarray, n_blocks: int, scratch: Scratch) -> np.ndarray:
        """Return features as (n_blocks, n_features_out, n_rows)."""
        features = self.features(X, scratch)
        return features.reshape(len(features), n_blocks, -1).swapaxes(0, 1)

    def block_log_density(
        self, features: np.ndarray, blocks: Candidates, out: np.ndarray, scratch: Scratch
    ) -> None:
        """Write log weight + log density of every block's candidates."""
        np.matmul(self._filled_coefficients[blocks.candidates], features, out=out)

    def block_add(
        self,
        totals: list[np.ndarray],
        features: np.ndarray,
        blocks: Candidates,
        resp: np.ndarray,
        scratch: Scratch,
    ) -> None:
        """Add responsibilities times features to every block's candidates."""
        blocks.add_to(totals[0], np.matmul(resp, features.swapaxes(1, 2)))

    def _prepare_densities(self, params: GaussianParams) -> None:
        n_features = self.n_features
        linear, quadratic = self.family.natural_parameters(params)
        log_weights = log_of_weights(params.weights, self.dtype)
        log_det = self.family.log_det_precision_cholesky(params) - self.family.frame_log_det
        at_mean = log_weights + (log_det - 0.5 * n_features * LOG_2PI)
        self.log_density_at_mean = at_mean
        if not self.moment_form:
            return
        self.coefficients = np.zeros((self.n_components, self.n_features_out), dtype=self.dtype)
        rest: Any = slice(None)
        if len(self.centred):
            rest = np.delete(np.arange(self.n_components), self.centred)
        at_origin = at_mean - 0.5 * np.einsum("kd,kd->k", params.means, linear)
        self.coefficients[rest, 0] = at_origin[rest]
        self.coefficients[rest, 1 : 1 + n_features] = linear[rest]
        self.coefficients[rest, 1 + n_features :] = quadratic[rest]
        self.row_term_total = self.family.row_term_total(params)

    def features(self, X: np.ndarray, scratch: Scratch) -> Any:
        """Return [1, z, quadratic terms of z] as rows."""
        made_of = (X, self.family.frame, type(self.family))
        shape = (self.n_features_out, len(X))
        features = scratch.made("features", made_of, shape, self.dtype)
        if features is not None:  # all rows are one chunk, which the last pass has seen
            self._enter_finely(features, X, scratch)
            return features
        features = scratch.array("features", shape, self.dtype)
        features[0] = 1.0
        z = features[1 : 1 + self.n_features]
        self.family.frame.enter(X, out=z)
        if self.moment_form:
            self.family.fill_quadratic(z, features[1 + self.n_features :])
        scratch.remember("features", made_of)
        self._enter_finely(features, X, scratch)
        return features

    def _enter_finely(self, features: np.ndarray, X: np.ndarray, scratch: Scratch) -> None:
        """Keep the coordinates of the rows in float64 beside their features, where needed."""
        if len(self.fine) and self.dtype != np.float64:
            z = scratch.array("fine", X.shape[::-1], np.float64)
            self.family.frame.enter(X, out=z)
            scratch.remember("fine", (features,))

    def log_density(self, features: Any, out: np.ndarray, scratch: Scratch) -> None:
        """Write log weight + log density, less the row term."""
        if self.moment_form:
            np.matmul(self.coefficients, features, out=out)
        fine = set(self.fine.tolist())
        for k in self.centred.tolist():
            diff = self._diff(features, self.params.means[k], scratch, fine=k in fine)
            distance = self.family.mahalanobis(self.params, k, diff, scratch)
            np.multiply(distance, -0.5, out=distance)
            distance += distance.dtype.type(self.log_density_at_mean[k])
            if k in fine:  # which float32 may not hold
                np.maximum(distance, -0.1 * np.finfo(self.dtype).max, out=distance)
            out[k] = distance

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
        fine = np.isin(np.arange(self.n_components), self.fine) if len(self.fine) else None
        return type(self)(
            self.family,
            self.params,
            dtype=np.float64,
            centred=centred,
            about=self.about,
            fine=fine,
        )

    def row_term(self, features: Any, scratch: Scratch) -> Any:
        """Return the part of the log density that all components share."""
        if not self.moment_form:
            return 0.0
        return self.family.row_term(self.params, features[1 : 1 + self.n_features], scratch)

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for moments of the features and centred second moments."""
        moments = np.zeros((self.n_components, self.n_features_out))
        deviations = [np.zeros((len(self.fine), self.n_features))] if len(self.fine) else []
        centred = self.family.zeros_centred(self.n_features, len(self.centred))
        return [moments, *deviations, *centred]

    def add(
        self, totals: list[np.ndarray], features: Any, resp: np.ndarray, scratch: Scratch
    ) -> None:
        """Add responsibilities times features, and centred squares."""
        moments = scratch.array("moments", totals[0].shape, self.dtype)
        for start in range(0, features.shape[1], MAX_SUMMED_ROWS):
            rows = slice(start, start + MAX_SUMMED_ROWS)
            np.matmul(resp[:, rows], features[:, rows].T, out=moments)
            np.add(totals[0], moments, out=totals[0])
        place = {k: i for i, k in enumerate(self.fine.tolist())}
        squares = totals[2:] if place else totals[1:]
        for i, k in enumerate(self.centred.tolist()):
            diff = self._diff(features, self.about[k], scratch, fine=k in place)
            if k in place:
                totals[1][place[k]] += diff @ resp[k]
            self.family.add_centred(squares, i, diff, resp[k], scratch)

    def statistics(self, totals: list[np.ndarray]) -> GaussianStatistics:
        """Name the summed arrays."""
        moments, *centred_totals = totals
        d = self.n_features
        if len(self.fine):
            deviations, *centred_totals = centred_totals
            of_fine = moments[self.fine, :1] * self.about[self.fine] + deviations
            moments[self.fine, 1 : 1 + d] = of_fine
        second = self.family.second_moments(moments[:, 1 + d :], self.centred, centred_totals)
        return GaussianStatistics(moments[:, 0], moments[:, 1 : 1 + d], second, self.about)

    def score_gradient(self, X: np.ndarray, features: Any, resp: np.ndarray) -> np.ndarray:
        """Return the gradient of the log density (n_features, n), 0 where cells are missing."""
        z = np.empty(X.shape[::-1])
        self.family.frame.enter(X, out=z)
        gradient = np.zeros(z.shape)
        for k in range(self.n_components):
            diff = self.params.means[k][:, None] - z
            gradient += resp[k] * self.family.by_precision(self.params, k, diff)
        gradient[np.isnan(z)] = 0.0  # where features are independent
        return gradient

    def _diff(
        self, features: np.ndarray, origin: np.ndarray, scratch: Scratch, *, fine: bool = False
    ) -> np.ndarray:
        z = features[1 : 1 + self.n_features]
        if fine and self.dtype != np.float64:
            z = cast(np.ndarray, scratch.made("fine", (features,), z.shape, np.float64))
        diff = scratch.array("fine diff" if fine else "diff", z.shape, z.dtype)
        np.subtract(z, origin.astype(z.dtype)[:, None], out=diff)
        return diff


def log_of_weights(weights: np.ndarray, dtype: Any) -> np.ndarray:
    """Logarithms; a component of weight 0 gets no row, and log 0 no chance to become NaN."""
    if weights.min() > 0.0:
        return np.log(weights)
    negligible = -1e-8 * float(np.finfo(dtype).max)
    log_weights = np.full(len(weights), negligible)
    np.log(weights, out=log_weights, where=weights > 0)
    return log_weights
