"""Gaussian components: what all covariance structures share."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np

from . import rounding
from .frame import Frame
from .gaussian_form import (
    LOG_2PI,
    GaussianForm,
    GaussianParams,
    GaussianStatistics,
    log_of_weights,
)
from .penalties import concession, magnitude, shrunk
from .prior import ConjugatePrior, with_prior
from .running import RunningMoments

# Where a component's own rows are: at its mean, and so many standard deviations of each feature
# farther out. Spread costs digits only where correlations make some direction narrower than the
# features are, and half as many as a mean that far out, as measured for up to 32 features.
REACH = 0.5

# Components evaluated one by one in float64 cost a few times as much as in one float32 product.
MOST_ALONE = 0.25

# A component with no more than this share of the rows has lost them all to rounding.
DEAD_SHARE = 10 * float(np.finfo(np.float64).eps)
# A component in which regularisation makes up more of some variance than this has collapsed.
COLLAPSED_SHARE = 0.99
# Missing cells count with the variance that they lend themselves, which is at most so much larger.
COLLAPSED_SHARE_OF_INCOMPLETE = 0.5

ILL_DEFINED_COVARIANCE = (
    "Fitting the mixture model failed because some components have ill-defined empirical "
    "covariance (for instance caused by singleton or collapsed samples). Try to decrease the "
    "number of components, increase reg_covar, or scale the input data."
)


class GaussianFamily(RunningMoments):
    """Gaussian components, in the coordinates of a frame: the protocol of EM.

    What their covariances are is said by a :class:`Structure`, which a subclass inherits first,
    what of them a pass sums by :class:`Moments`.

    Parameters
    ----------
    frame : Frame
        The coordinates of all parameters that go in and come out.

    reg_covar : float or ndarray of shape (n_features,), default=0.0
        Added to the variances, in squared units of the rows; one value for all columns where
        `one_variance`.

    shrinkage : float, default=0.0
        Pseudo-observations per component with the pooled within-component covariance.

    diagonal_shrinkage : float, default=0.0
        Pseudo-observations, beside all rows of the fit, in which features are uncorrelated; for
        covariances that are matrices without constraints.

    incomplete : bool, default=False
        Whether the rows of the fit have missing cells (NaN).

    noise_variance : ndarray of shape (n_features,), default=None
        Variances, in squared units of the rows, of known independent noise in the rows of the
        fit. Parameters are those of the rows without it.

    prior : ConjugatePrior, default=None
        Of means and covariances, in the units of the rows.
    """

    # Above this the quadratic features outgrow the cache, and the centred form is faster.
    max_moment_features: ClassVar[float] = np.inf

    def __init__(
        self,
        frame: Frame,
        *,
        reg_covar: Any = 0.0,
        shrinkage: float = 0.0,
        diagonal_shrinkage: float = 0.0,
        incomplete: bool = False,
        noise_variance: np.ndarray | None = None,
        prior: ConjugatePrior | None = None,
    ) -> None:
        self.frame = frame
        self.shrinkage = shrinkage
        self.diagonal_shrinkage = diagonal_shrinkage
        self.incomplete = incomplete
        self.noise_variance = noise_variance
        self.noise: Any = None if noise_variance is None else noise_variance / frame.scale**2
        self.reg_covar = np.broadcast_to(np.asarray(reg_covar, np.float64), frame.scale.shape)
        self.prior = prior
        self.own_prior = None if prior is None else prior.in_frame(frame)
        steadied = shrinkage > 0.0 or diagonal_shrinkage > 0.0 or prior is not None
        self.regularised = steadied or bool(np.any(self.reg_covar > 0.0))
        self.reg_variances = self.reg_covar / frame.scale**2
        # Squares of the rounding of coordinates: smaller variances are noise.
        radius = np.where(np.isfinite(frame.radius), frame.radius, 0.0)
        self.resolution = (np.finfo(np.float64).eps * radius) ** 2
        self.frame_log_det = frame.log_det
        self.radius2 = float(frame.radius.max()) ** 2
        self.n_rows, self.total_weight, self.coarse = 1, 1.0, False

    def bound_to(self, source: Any) -> Self:
        """Return the family that knows what is constant over a fit to the rows of a source."""
        family = copy.copy(self)
        family.n_rows, family.coarse = source.n_samples, rounding.is_coarse(source)
        family.total_weight = source.total_weight
        return family

    def forgiving(self, least_variance: float) -> Self:
        """Return a family in which a component that collapses is no error.

        `least_variance` is the least that regularisation then adds, in the coordinates.
        """
        family = copy.copy(self)
        family.regularised = True
        family.reg_variances = np.maximum(self.reg_variances, least_variance)
        return family

    def side_by_side(self, n_components: int) -> GaussianFamily:
        """Return the family of several mixtures of so many components, one after the other."""
        return self

    def for_rows(self, source: Any, family_type: Any = None) -> Any:
        """Return this family, or one of another type, bound to some of its rows."""
        frame = self.frame
        if self.incomplete or not np.all(np.isfinite(frame.radius)):
            frame = Frame.of_source(source, common_scale=self.common_scale)
        family = (family_type or type(self))(
            frame,
            reg_covar=self.reg_covar,
            shrinkage=self.shrinkage,
            diagonal_shrinkage=self.diagonal_shrinkage,
            incomplete=source.incomplete,
            noise_variance=self.noise_variance,
            prior=self.prior,
        )
        return family.bound_to(source)

    # Family protocol -----------------------------------------------------------------------

    def prepare(self, params: GaussianParams, dtype: Any) -> GaussianForm:
        """Choose type and form for the rows of the fit."""
        params = self.with_noise(params)
        if not self.incomplete and len(self.frame.scale) <= self.max_moment_features:
            if self._bound(params) < rounding.surely_small(self.coarse, np.dtype(dtype)):
                return GaussianForm(self, params, dtype=dtype)
        elif not self.incomplete and self._bound(params) < rounding.rows_surely_exact(dtype):
            everything = np.ones(len(params.weights), dtype=bool)
            return GaussianForm(self, params, dtype=dtype, centred=everything, about=params.means)
        units = rounding.of_sums(params.weights * self.n_rows, self.coarse)
        return self._prepare(params, dtype, self.frame.radius, self.incomplete, units)

    def _bound(self, params: GaussianParams, distance: float | None = None) -> float:
        """Bound the ratios of all components, at next to no cost: precision times distance².

        `distance` is the largest from any origin in any feature, that of the rows if None.
        """
        factors = params.precisions_cholesky.ravel()
        distance2 = self.radius2 if distance is None else distance**2
        return float(factors @ factors) * distance2

    def _prepare(
        self, params: GaussianParams, dtype: Any, radius: Any, incomplete: Any, units: Any = 0.0
    ) -> GaussianForm:
        ratio2 = self.largest_precision(params, self._reach(params, radius))
        n_features = len(self.frame.scale)
        form = self.incomplete_form() if incomplete else GaussianForm
        options: dict[str, Any] = {}
        for work_dtype in dict.fromkeys([np.dtype(dtype), np.dtype(np.float64)]):
            centred = inexact = ~rounding.is_small(ratio2, units, work_dtype)
            if n_features > self.max_moment_features:
                centred = np.ones_like(inexact)
                inexact = np.finfo(work_dtype).eps * np.sqrt(ratio2) >= rounding.MAX_ROW_ERROR
            if not inexact.any():
                break
            if work_dtype != np.float64 and form is GaussianForm and self._are_few(inexact):
                options = {"fine": inexact}
                break
        return form(self, params, dtype=work_dtype, centred=centred, about=params.means, **options)

    def _are_few(self, components: np.ndarray) -> bool:
        """Whether these cost less on their own than all with them; a tied covariance is one."""
        return not self.shared_covariance and np.mean(components) <= MOST_ALONE

    def _reach(self, params: GaussianParams, radius: Any) -> np.ndarray:
        # Rows far from a component have none of its responsibility, and a density whose error is
        # small beside its size: what counts is how far from the origin its own rows are.
        spread = REACH * np.sqrt(self.variances(params))
        return np.minimum(radius, np.abs(params.means) + spread)

    def maximize(self, params: GaussianParams, statistics: GaussianStatistics) -> GaussianParams:
        """Return the maximum-likelihood parameters, shrunk and regularised.

        A component without rows keeps its mean and covariance, with weight 0.
        """
        if self.noise is not None:
            statistics = self.without_noise(params, statistics)
        dead = _dead(statistics)
        weights = counts = statistics.counts
        if dead is not None:
            weights, counts = np.where(dead, 0.0, counts), np.where(dead, 1.0, counts)
        means = self._means(params, statistics, dead)
        covariances = self.empirical_covariances(statistics, counts, means - statistics.about)
        rows = weights
        covariances = shrunk(self, covariances, statistics.counts)
        if self.own_prior is not None:
            covariances, rows = with_prior(self, covariances, weights, means)
            means = self.own_prior.drawn(means, weights)
        covariances = self.add_to_variances(covariances, self.reg_variances)
        if dead is not None and self.regularised and not self.shared_covariance:
            covariances[dead] = self.invert_factors(params.precisions_cholesky[dead])
        factored = self.likeliest(params, covariances, rows)
        return GaussianParams(weights / weights.sum(), means, *factored)

    def likeliest(
        self, params: GaussianParams, covariances: np.ndarray, counts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the likeliest covariances of the family, and their factors.

        `covariances` are the empirical ones of so many rows, `params` those of the pass.
        """
        return self.factor(covariances)

    @property
    def bounded(self) -> bool:
        return self.shared_covariance or self.prior is not None

    def admissible(self, params: GaussianParams) -> GaussianParams:
        """Return parameters whose covariances are of the family, near those given."""
        return params

    def _means(
        self, params: GaussianParams, statistics: GaussianStatistics, dead: np.ndarray | None
    ) -> np.ndarray:
        if dead is None:
            return statistics.first / statistics.counts[:, None]
        means = statistics.first / np.where(dead, 1.0, statistics.counts)[:, None]
        means[dead] = params.means[dead]
        return means

    def refine(
        self,
        params: GaussianParams,
        form: GaussianForm,
        statistics: GaussianStatistics,
        new_params: GaussianParams | None,
    ) -> GaussianForm | None:
        """Repeat the sums about the new means where the old origin cancelled too many digits.

        `new_params` is None where the covariances could not be factored.
        """
        if new_params is not None:
            noisy = self.with_noise(new_params)
            distance = float(np.abs(new_params.means - statistics.about).max())
            if self._bound(noisy, distance) < rounding.surely_small(self.coarse, form.dtype):
                return None
        means = self._means(params, statistics, _dead(statistics))
        shift = np.abs(means - statistics.about)
        if new_params is not None:
            # The share of a second moment that is taken off again with the square of the mean.
            ratio2 = self.largest_precision(noisy, shift)
            share = statistics.counts / statistics.counts.sum()
            units = rounding.of_sums(share * self.n_rows, self.coarse)
            small = rounding.is_small(ratio2, units, form.dtype)
            if len(form.fine):
                small[form.fine] = rounding.is_small(ratio2, units, np.dtype(np.float64))[
                    form.fine
                ]
            if np.all(small):
                return None
            if type(form) is GaussianForm and form.moment_form and self._are_few(~small):
                return self._with_centred(params, form, ~small, means)
        everything = np.ones(len(means), dtype=bool)
        params = self.with_noise(params)
        return type(form)(self, params, dtype=np.float64, centred=everything, about=means)

    def concession(
        self, params: GaussianParams, update: GaussianParams, total_weight: float
    ) -> float:
        """Return by how much regularisation lets an update lower the likelihood (nats per row)."""
        return concession(self, params, update, total_weight) if self.regularised else 0.0

    def magnitude(self, params: GaussianParams, source: Any) -> float:
        """Return the mean size of the terms of a log density (nats)."""
        params = self.with_noise(params)
        return magnitude(self, params, self._reach(params, self.frame.radius))

    def _with_centred(
        self, params: GaussianParams, form: GaussianForm, more: np.ndarray, about: np.ndarray
    ) -> GaussianForm:
        """Return the form with more components centred, in float64."""
        centred, fine = more.copy(), more.copy()
        centred[form.centred], fine[form.fine] = True, True
        params = self.with_noise(params)
        return GaussianForm(
            self, params, dtype=form.dtype, centred=centred, about=about, fine=fine
        )

    def forms_for_scoring(self, params: GaussianParams, dtype: Any) -> Callable[..., GaussianForm]:
        """Return a function from a chunk to a form for its rows."""
        anywhere = np.full(len(self.frame.scale), np.inf)
        forms: dict[bool, GaussianForm] = {}

        def form_for(X: np.ndarray) -> GaussianForm:
            incomplete = X.size > 0 and bool(np.isnan(X.min()))
            if incomplete not in forms:
                forms[incomplete] = self._prepare(params, dtype, anywhere, incomplete)
            return forms[incomplete]

        return form_for

    def log_prob_of_few(self, params: GaussianParams, X: np.ndarray) -> np.ndarray | None:
        """Log weight + log density (n_components, n_rows) of complete rows, all at once.

        In the coordinates of the parameters, whatever the frame; None where some are not finite,
        as with missing cells.
        """
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            whitened = self.whiten(params.precisions_cholesky, X - params.means[:, None])
            log_prob = np.einsum("knd,knd->kn", whitened, whitened)
            log_prob *= -0.5
            constant = self.log_det_precision_cholesky(params) - 0.5 * LOG_2PI * X.shape[1]
            log_prob += (constant + log_of_weights(params.weights, np.float64))[:, None]
            return log_prob if np.isfinite(log_prob.sum()) else None

    def n_components(self, params: GaussianParams) -> int:
        """Return the number of components."""
        return len(params.weights)

    def n_parameters(self, params: GaussianParams) -> int:
        """Return the number of free parameters."""
        n_components, n_features = params.means.shape
        n_covariance = self.n_covariance_parameters(n_components, n_features)
        return n_covariance + n_components * n_features + n_components - 1

    def sample(
        self, params: GaussianParams, component: int, n_samples: int, rng: np.random.RandomState
    ) -> np.ndarray:
        """Draw rows of one component, in the units of the rows."""
        z = params.means[component] + self.draw_noise(params, component, n_samples, rng)
        return z * self.frame.scale + self.frame.reference

    # Shared steps --------------------------------------------------------------------------

    def factor(self, covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return covariances and Cholesky factors of the precisions; repair if regularised."""
        try:
            return covariances, self.precisions_cholesky(covariances)
        except np.linalg.LinAlgError:
            if not self.regularised:
                raise ValueError(ILL_DEFINED_COVARIANCE) from None
        covariances = self.make_positive_definite(covariances, self.resolution)
        return covariances, self.precisions_cholesky(covariances)

    def with_noise(self, params: GaussianParams) -> GaussianParams:
        """Parameters of rows with the noise of the fit, given those of rows without."""
        if self.noise is None:
            return params
        covariances = self.add_to_variances(self.covariances(params).copy(), self.noise)
        return GaussianParams(params.weights, params.means, *self.factor(covariances))

    def without_noise(
        self, params: GaussianParams, statistics: GaussianStatistics
    ) -> GaussianStatistics:
        r"""Expect the statistics of rows without noise from those of rows with it.

        With gain :math:`G = \Sigma (\Sigma + N)^{-1}`, a clean row is expected at
        :math:`\mu + G (y - \mu)` with covariance :math:`\Sigma - G \Sigma` (J. Bovy, D. W.
        Hogg, S. T. Roweis, "Extreme deconvolution", 2011, :doi:`10.1214/10-AOAS439`). Both are
        linear in the statistics of the noisy rows.
        """
        counts = statistics.counts[:, None]
        deviation = statistics.first - counts * params.means
        lag = params.means - statistics.about
        moved = statistics.first - counts * statistics.about
        second = self.shift_second(statistics.second, counts, lag, moved)
        deviation, second = self.filter_noise(params, statistics.counts, deviation, second)
        return GaussianStatistics(
            statistics.counts, counts * params.means + deviation, second, params.means
        )

    def split(self, params: GaussianParams, k: int, spread: np.ndarray, step: float) -> Any:
        """Replace component k by two halves along its longest axis, `step` deviations apart.

        The second one comes last. Where the component has a covariance of its own, the first two
        moments of both together are as before.
        """
        n_components = len(params.weights)
        shift = step * self.longest_axis(params, k, spread)
        covariances = self.narrowed(self.covariances(params).copy(), k, shift)
        doubled = self.take(
            GaussianParams(params.weights, params.means, *self.factor(covariances)),
            np.append(np.arange(n_components), k),
        )
        weights = np.append(params.weights, params.weights[k]) / params.weights.sum()
        weights[[k, -1]] /= 2
        doubled.means[k] += shift
        doubled.means[-1] -= shift
        return self.admissible(doubled._replace(weights=weights))

    def collapsed(self, params: GaussianParams, observed: Any = 1.0) -> np.ndarray:
        """Mask of components with a direction in which regularisation is all that there is.

        `observed` (n_components, n_features) is the share of the cells that are not missing.
        Missing cells repeat the variance of the pass before, so that all regularisation adds up to
        is as many times larger.
        """
        if not self.regularised:
            return np.zeros(len(params.weights), dtype=bool)
        pivots = self.pivots(params)
        rounding = 100 * pivots.shape[1] * np.finfo(np.float64).eps * pivots.max(axis=1)
        singular = pivots.min(axis=1) <= rounding
        complete = np.all(np.asarray(observed) == 1.0)
        most = COLLAPSED_SHARE if complete else COLLAPSED_SHARE_OF_INCOMPLETE
        variances = np.broadcast_to(self.reg_variances, params.means.shape) / observed
        if self._bound(params, float(np.sqrt(variances.max()))) < most:
            return singular
        return singular | (self.largest_share(params, variances) > most)

    def to_frame(self, params: GaussianParams) -> GaussianParams:
        """Go from the units of the rows to the coordinates of the frame."""
        params = params._replace(means=params.means - self.frame.reference)
        return self.rescale(params, 1.0 / self.frame.scale)

    def entered_from(self, other: GaussianFamily, params: GaussianParams) -> GaussianParams:
        """Go from the coordinates of another family's frame to those of this one's."""
        return self.to_frame(other.from_frame(params))

    def from_frame(self, params: GaussianParams) -> GaussianParams:
        """Go from the coordinates of the frame to the units of the rows."""
        params = self.rescale(params, self.frame.scale)
        return params._replace(means=params.means + self.frame.reference)


def _dead(statistics: GaussianStatistics) -> np.ndarray | None:
    """Mask of components that lost all rows; None where there are none."""
    dead = statistics.counts <= DEAD_SHARE * statistics.counts.sum()
    return dead if dead.any() else None
