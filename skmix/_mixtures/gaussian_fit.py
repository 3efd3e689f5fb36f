"""How a Gaussian mixture is fitted: its family, where EM starts, what was repaired."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import numpy as np

from .._engine import em, few_rows
from .._families import ConjugatePrior, Frame, FullGaussian, GaussianParams
from .._interface import validation
from .._rows.threads import one_blas_thread
from .._starts import methods
from .._starts.gaussian import GaussianStarts
from . import estimates, regularisation, shrinking
from .base import BaseMixture, names
from .covariance_types import FAMILIES, family_in_units
from .known import Known
from .report import column_names

# BLAS leaves products of no more than twice this many numbers on one thread anyway.
SMALL_PRODUCT = 2**17


class GaussianFit(BaseMixture):
    """What :class:`GaussianMixture` tells the fit that all mixtures share."""

    _part_name = "gaussian"
    # One of `PRIORS`; estimators that offer none have none.
    prior: str | None = None

    @classmethod
    def from_parameters(cls, weights, means, covariances, *, covariance_type="full"):
        """Make a fitted mixture of given parameters, which samples and scores.

        Parameters
        ----------
        weights : array-like of shape (n_components,)
            The weights of the components; they must sum to 1, within 1e-6, and are normalised.

        means : array-like of shape (n_components, n_features)
            The means of the components.

        covariances : array-like
            The covariances, shaped as `covariances_` of this `covariance_type`.

        covariance_type : str, default='full'
            What the covariances look like: one of those of :class:`GaussianMixture`.

        Returns
        -------
        mixture : estimator
            A fitted instance. It has seen no data: `lower_bound_` is NaN.

        Raises
        ------
        ValueError
            If shapes disagree, weights do not sum to 1, a covariance is not positive
            definite, or the covariances do not share what `covariance_type` says (to 1 % of
            their variances).

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters(
        ...     [0.5, 0.5], [[0.0], [4.0]], [1.0, 1.0], covariance_type="spherical"
        ... )
        >>> gm.predict([[0.5], [3.0]])
        array([0, 1])
        """
        mixture = cls(validation.n_given_components(weights), covariance_type=covariance_type)
        mixture._set_parameters(weights, means, covariances)
        return mixture

    @one_blas_thread()
    def _set_parameters(self, weights, means, covariances):
        self._validate_params()
        n_components = self.n_components
        means = np.asarray(means)
        n_features = means.shape[-1] if means.ndim == 2 else 1
        means = validation.check_means(means, n_components, n_features)
        family = FAMILIES[self.covariance_type](Frame.identity(n_features))
        covariances = validation.check_matrices(
            covariances, family, n_components, n_features, "covariance"
        )
        weights = validation.check_weights_init(weights, n_components)
        params = GaussianParams(weights, means, *family.factor(covariances))
        validation.check_structure(family, params)
        learned = self._attributes(family, params, np.float64)
        del learned["reg_covar_"], learned["shrinkage_"]  # of rows that were seen
        vars(self).update(learned)
        self.n_features_in_ = n_features
        self.converged_, self.n_iter_ = True, 0
        self.lower_bound_, self.lower_bounds_ = float("nan"), []

    def _check_fit_parameters(self, shape, weighted):
        super()._check_fit_parameters(shape, weighted)
        family_type = FAMILIES[self.covariance_type]
        shrinks = self.shrinkage != "auto" and self.shrinkage > 0
        if shrinks and family_type.shared_covariance:
            raise ValueError(
                f"shrinkage={self.shrinkage} has no effect with covariance_type="
                f"{self.covariance_type!r}, which pools the covariances already; use shrinkage=0 "
                "or another covariance_type."
            )
        if shrinks and family_type.sharing:
            raise ValueError(
                f"shrinkage={self.shrinkage} is not available with covariance_type="
                f"{self.covariance_type!r}, whose components share part of their covariances "
                "already; use shrinkage=0 or covariance_type="
                f"{family_type.free_type!r}."
            )
        if (shrinks or self.shrinkage == "auto") and self.prior is not None:
            raise ValueError(
                f"shrinkage={self.shrinkage!r} and prior={self.prior!r} both steady covariances: "
                "use one of them, shrinkage=0 or prior=None."
            )
        n_features = shape[1]
        shape = (self.n_components, n_features)
        if self._continues() and np.shape(self.means_) != shape:
            raise ValueError(
                f"warm_start=True continues from means_ of shape {np.shape(self.means_)}, but "
                f"n_components={self.n_components} and X has {n_features} features. Set "
                "warm_start=False to start afresh."
            )
        expected = family_type.covariance_shape(*shape)
        if self._continues() and self.covariances_.shape != expected:
            raise ValueError(
                f"warm_start=True continues from covariances_ of shape {self.covariances_.shape}, "
                f"but covariance_type={self.covariance_type!r} needs {expected}. Set "
                "warm_start=False to start afresh."
            )

    def _make_family(self, source):
        family_type = FAMILIES[self.covariance_type]
        frame = Frame.of_source(source, common_scale=family_type.common_scale)
        known = self._known
        reg_covar = known.reg_covar
        if reg_covar is None:
            regularisation.warn_if_large(self, frame)
            alike = family_type.one_variance or known.columns_alike
            reg_covar = regularisation.resolve(
                self.reg_covar, source, frame, self.n_components, alike=alike
            )
        elif family_type.one_variance:
            reg_covar = np.full(len(reg_covar), reg_covar.mean())
        shrunk = known.shrinkage or shrinking.resolve(
            self.shrinkage,
            source,
            frame,
            family_type,
            n_components=self.n_components,
            reg_covar=reg_covar,
            noise_variance=known.noise_variance,
        )
        return self._family_in(frame, source, reg_covar, shrunk)

    def _family_in(self, frame, source, reg_covar, shrunk):
        family = FAMILIES[self.covariance_type](
            frame,
            reg_covar=reg_covar,
            shrinkage=shrunk.pooled,
            diagonal_shrinkage=shrunk.diagonal,
            incomplete=source.incomplete,
            noise_variance=self._known.noise_variance,
            prior=self._prior_of(source, frame),
        )
        return family.bound_to(source)

    def _prior_of(self, source, frame):
        """Return the prior of means and covariances that the rows suggest, if one is wanted."""
        if self.prior is None:
            return None
        mean, covariance = methods.moments(source, frame)
        return ConjugatePrior.of_rows(mean, covariance, self.n_components)

    def _given_start(self, family, n_features) -> dict[str, Any]:
        """Starting values from the constructor or the last fit, in the frame; None: derive."""
        if self._continues():
            params = GaussianParams(
                self.weights_.astype(np.float64),
                self.means_.astype(np.float64),
                self.covariances_.astype(np.float64),
                self.precisions_cholesky_.astype(np.float64),
            )
            return family.to_frame(params)._asdict()
        n_components = self.n_components
        given: dict[str, Any] = {}
        if self.weights_init is not None:
            given["weights"] = validation.check_weights_init(self.weights_init, n_components)
        if self.means_init is not None:
            means = validation.check_means(
                self.means_init, n_components, n_features, name="means_init"
            )
            given["means"] = (means - family.frame.reference) / family.frame.scale
        if self.precisions_init is not None:
            precisions = validation.check_matrices(
                self.precisions_init, family, n_components, n_features, "precision"
            )
            zeros = np.zeros((n_components, n_features))
            factors = family.factor_precisions(precisions)
            params = GaussianParams(zeros, zeros, None, factors)
            factors = family.rescale(params, 1.0 / family.frame.scale).precisions_cholesky
            given["precisions_cholesky"] = factors
            given["covariances"] = None  # not needed until asked for
        return given

    def _starts(self) -> GaussianStarts:
        hard = self.assignment == "hard"
        return GaussianStarts(self.n_components, self.init_params, self.tol, self.max_iter, hard)

    def _start(self, source, family, given, random_state):
        params, moved = self._starts().start(source, family, given, random_state)
        if len(moved) == 0:
            return params, []
        return params, [
            f"{names(moved)} started identical to another, which EM never separates: the means "
            "were moved to random rows."
        ]

    def _reseed(self, source, family, given, params, random_state):
        return self._starts().second_try(source, family, given, params, random_state)

    def _rank(self, source, family, result):
        return self._starts().rank(source, family, result.params, result.lower_bound)

    def _rank_of_fit(self, X, sample_weight):
        """Return what compares this fit with others to the same rows, as `_rank` does."""
        with self._refit_source(X, sample_weight) as (source, family, params):
            return self._starts().rank(source, family, params, self.lower_bound_)

    def _is_flattered(self, X, sample_weight):
        with self._refit_source(X, sample_weight) as fitted:
            return self._starts().is_flattered(*fitted)

    @contextmanager
    def _refit_source(self, X, sample_weight):
        """Context with the rows of this fit, its family and its parameters."""
        source = self._fit_source(X, sample_weight)[2]
        fitted, params = self._fitted_family()
        with source:
            shrunk = self._resolved_shrinkage()
            yield source, self._family_in(fitted.frame, source, self.reg_covar_, shrunk), params

    def _resolved_shrinkage(self) -> shrinking.Shrinkage:
        """Return how far this fit was shrunk, for others of its kind."""
        family_type = FAMILIES[self.covariance_type]
        return shrinking.divided(self.shrinkage, self.shrinkage_, family_type, self.n_components)

    def _repairs(self, source, family, params):
        repairs = super()._repairs(source, family, params)
        observed = 1.0
        if source.incomplete and family.regularised:
            observed = em.observed_shares(source, family, params)
        return repairs + self._collapses(family, params, observed)

    def _collapses(self, family, params, observed):
        """Return a sentence about components that regularisation keeps from collapsing, if any."""
        alive = params.weights > 0
        collapsed = np.flatnonzero(family.collapsed(params, observed) & alive)
        everywhere = len(collapsed) == alive.sum()
        if len(collapsed) and not (everywhere and self._known.flat_directions_expected):
            prior = ""
            if self._known.prior_offered and self.prior is None:
                prior = ', prior="data" (with shrinkage=0)'
            remedy = "Drop constant columns and those that others determine, or raise reg_covar."
            if not everywhere:
                remedy = (
                    f"Use fewer components{prior} or shrinkage, or drop constant and duplicate "
                    "columns."
                )
            return [
                f"{names(collapsed)} collapsed: in some direction the rows have next to no "
                f"spread of their own, and {self._described(family)} stands in for it. {remedy}"
            ]
        return []

    def _described(self, family):
        return regularisation.described(self.reg_covar, family.reg_covar)

    def _attributes(self, family, params, dtype):
        if params.covariances is None:
            covariances = family.invert_factors(params.precisions_cholesky)
            params = params._replace(covariances=covariances)
        params = family.from_frame(params)
        precisions = family.precisions(params.precisions_cholesky)
        # Variances of small or large numbers, and their inverses, may be no float32.
        largest = max(np.abs(precisions).max(), np.abs(params.covariances).max())
        square = dtype if largest < np.finfo(dtype).max else np.float64
        return {
            "weights_": params.weights.astype(dtype),
            "means_": params.means.astype(dtype),
            "covariances_": params.covariances.astype(square),
            "precisions_cholesky_": params.precisions_cholesky.astype(square),
            "precisions_": precisions.astype(square),
            "reg_covar_": family.reg_covar.copy(),
            "shrinkage_": float(max(family.shrinkage, family.diagonal_shrinkage)),
        }

    def _estimates(self):
        family, params = family_in_units(self)
        names = column_names(self, params.means.shape[1])
        return [
            estimates.of_weights(params.weights),
            estimates.of_columns("means", "mean", params.means, names),
            estimates.of_columns("variances", "variance", family.variances(params), names),
        ]

    def _known_of_fit(self):
        if not hasattr(self, "reg_covar_"):  # made of parameters, not of rows
            return super()._known_of_fit()
        return Known(reg_covar=self.reg_covar_, shrinkage=self._resolved_shrinkage())

    def _dense_family(self):
        """Return the fit as a family of full or tied covariances, and its parameters."""
        family, params = self._fitted_family()
        if family.dense:
            return family, params
        dense = FullGaussian(family.frame)
        covariances = family.matrices(params)
        params = params._replace(covariances=covariances)
        return dense, params._replace(precisions_cholesky=dense.precisions_cholesky(covariances))

    def _log_prob_of_few(self, X):
        n_rows, n_features = X.shape
        if n_rows * np.size(self.weights_) * n_features > few_rows.FEW:
            return None
        family, params = family_in_units(self)
        if n_rows * n_features**2 > SMALL_PRODUCT:
            with one_blas_thread():
                return family.log_prob_of_few(params, X)
        return family.log_prob_of_few(params, X)

    def _fitted_family(self):
        in_units, params = family_in_units(self)
        variances, common_scale = in_units.pivots(params), in_units.common_scale
        frame = Frame.of_components(
            params.weights, params.means, variances, common_scale=common_scale
        )
        family = type(in_units)(frame)
        return family, family.to_frame(params)

    def _new_mixture(self, weights, means, covariances, features):
        """Make a fitted mixture of some features, with this one's other settings."""
        settings = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name in ("covariance_type", "random_state")
        }
        family_type = FAMILIES[self.covariance_type]
        if family_type.margin_type != family_type.covariance_type:
            settings["covariance_type"] = family_type.margin_type
        mixture = type(self)(len(weights), **settings)
        mixture._set_parameters(weights, means, covariances)
        mixture._take_columns_of(self, features)
        return mixture
