r"""Standard errors of a Gaussian mixture from the observed information.

Natural parameters are taken about the fitted means: with :math:`u = x - \hat\mu_k` the log density
is linear in u and in its products, with coefficients :math:`a_k = P_k (\mu_k - \hat\mu_k)` and
:math:`-P_k / 2`. That stays so where components share a covariance, or where features are
independent: parameters are then sums, or some, of these coefficients. Other structures of
covariances are curved in them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._engine import em
from .._families import GaussianFamily, GaussianParams
from .._interface import validation
from .._interface.wording import truth
from .._rows.threads import one_blas_thread
from .covariance_types import FAMILIES
from .fitted import FittedMixture
from .information import not_first, observed_information, pieces_of, variances_of


class GaussianStandardErrors(NamedTuple):
    """Standard errors of the parameters of a Gaussian mixture."""

    weights: np.ndarray  # (n_components,)
    means: np.ndarray  # (n_components, n_features), in units of the features
    variances: np.ndarray  # (n_components, n_features), in squared units
    covariances: np.ndarray  # shaped as those of the mixture


class GaussianInformation(FittedMixture):
    """Adds standard errors to a Gaussian mixture."""

    covariance_type: str

    @one_blas_thread()
    def standard_errors(self, X, sample_weight=None, *, robust=False):
        """Return standard errors of weights, means and covariances from the observed information.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows of the fit, NaN where a cell is missing.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row was seen; with `robust`, how much it counts.

        robust : bool, default=False
            Whether to return sandwich errors, from the information and the scatter of the scores
            of the rows. They hold for sampling weights of a survey, in any unit, and where
            components are not quite Gaussian.

        Returns
        -------
        errors : GaussianStandardErrors
            A named tuple of `weights` (n_components,); `means` and `variances` (n_components,
            n_features), in units of the features and squared ones; and `covariances`, shaped as
            `covariances_`. NaN marks components of weight 0, infinity what the rows do not
            identify.

        Raises
        ------
        ValueError
            If components share part of their covariances ('VEI', 'EVI', 'VEE', 'EVE', 'VVE',
            'EEV', 'VEV', 'EVV'), or there is a component of noise.

        See Also
        --------
        bootstrap : Errors and intervals for every mixture, and for few rows.

        Notes
        -----
        The observed information is exact, at the fitted parameters, and carried to means and
        covariances by the delta method. It is that of a maximum: fit with ``tol=1e-6`` or below.
        `reg_covar`, `shrinkage`, `prior` and hard assignment are not taken into account.

        Errors are right for many rows per component. It costs n P² operations and 8 P² bytes for n
        rows and P parameters, and, for each of the patterns of missing cells, K times as many as
        a covariance has parameters, squared.

        References
        ----------
        T. A. Louis, "Finding the observed information matrix when using the EM algorithm",
        Journal of the Royal Statistical Society B 44(2), 1982.
        :doi:`10.1111/j.2517-6161.1982.tb01203.x`

        H. White, "Maximum likelihood estimation of misspecified models", Econometrica 50(1),
        1982. :doi:`10.2307/1912526`

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(400, 1))
        >>> errors = GaussianMixture().fit(X).standard_errors(X)
        >>> errors.means.round(4), round(float(X.std()) / 20, 4)
        (array([[0.0498]]), 0.0498)
        """
        robust = truth(robust, "robust")
        X = self._validate_rows(X)
        if self._box() is not None:
            raise ValueError(
                "standard_errors is not available for a mixture with noise=True. Use "
                "skmix.bootstrap, or a mixture with noise=False."
            )
        family_type = FAMILIES[self.covariance_type]
        if family_type.sharing and not family_type.decomposition.one_covariance:
            raise ValueError(
                f"standard_errors is not available with covariance_type={self.covariance_type!r}, "
                "whose components share a part of their covariances. Use skmix.bootstrap, or "
                f"covariance_type={family_type.free_type!r}."
            )
        weight, rows = validation.drop_unweighted(
            validation.check_sample_weight(sample_weight, X), X
        )
        if validation.has_missing(rows):
            seen = ~np.isnan(rows).all(axis=1)
            weight, rows = None if weight is None else weight[seen], rows[seen]
        counts = np.ones(len(rows)) if weight is None else weight
        resp = self._score_rows(em.predict_proba, rows).astype(np.float64)
        family, params = self._fitted_family()
        z = np.empty(rows.shape[::-1])
        family.frame.enter(rows, out=z)
        chart = Chart(family, params)
        variances = chart.variances(z, counts, resp, robust=robust)
        return chart.in_units(np.sqrt(variances), family.frame.scale)


class Chart:
    """Natural parameters of Gaussian components, and what follows from them."""

    def __init__(self, family: GaussianFamily, params: GaussianParams) -> None:
        self.family, self.params = family, params
        self.n_components, d = params.means.shape
        self.n_features = d
        self.matrices = family.matrices(params)
        self.shared = family.shared_covariance or family.sharing  # of all parameters
        self.left, self.right = np.tril_indices(d) if family.dense else (np.arange(d),) * 2
        # From products of deviations to parameters: one variance is that of all features.
        self.summed = np.ones((d, 1)) if family.one_variance else np.eye(len(self.left))
        n_own = self.summed.shape[1]
        K = self.n_components
        firsts = K + np.arange(K * d).reshape(K, d)
        seconds = K + K * d + np.arange(K * n_own).reshape(K, n_own)
        if self.shared:
            seconds = np.broadcast_to(seconds[0], seconds.shape)
        self.blocks = list(np.concatenate([firsts, seconds], axis=1))
        self.firsts, self.seconds = firsts, seconds
        self.size = int(seconds.max()) + 1

    def variances(
        self, z: np.ndarray, counts: np.ndarray, resp: np.ndarray, *, robust: bool
    ) -> np.ndarray:
        """Return variances of weights, means, and entries of all covariances, in one vector."""
        pieces = (
            Deviations(self, z[:, rows], counts[rows], resp[rows])
            for rows in pieces_of(len(counts), self.size)
        )
        weights = self.params.weights
        information, scatter = observed_information(weights, self.blocks, self.size, pieces)
        dead = weights == 0
        free = np.ones(self.size, dtype=bool)
        free[: self.n_components] = not_first(weights)
        free[self.firsts[dead]] = False
        if not self.shared:
            free[self.seconds[dead]] = False
        among = np.ix_(free, free)
        jacobian = self._jacobian()
        found = variances_of(
            information[among], jacobian[:, free], scatter[among] if robust else None
        )
        unknown = np.repeat(dead, self.n_features), np.repeat(dead, len(self.left))
        if self.shared:
            unknown[1][:] = False
        return np.where(np.concatenate([dead, *unknown]), np.nan, found)

    def _jacobian(self) -> np.ndarray:
        """Return derivatives of weights, means and covariances by the parameters."""
        K, d = self.n_components, self.n_features
        weights, n_pairs = self.params.weights, len(self.left)
        jacobian = np.zeros((K + K * d + K * n_pairs, self.size))
        jacobian[:K, :K] = np.diag(weights) - np.outer(weights, weights)
        for k, sigma in enumerate(self.matrices):
            means = slice(K + k * d, K + (k + 1) * d)
            pairs = slice(K + K * d + k * n_pairs, K + K * d + (k + 1) * n_pairs)
            jacobian[means, self.firsts[k]] = sigma
            jacobian[pairs, self.seconds[k]] = self.of_products(sigma) @ self.summed
        return jacobian

    def of_products(self, sigma: np.ndarray, other: np.ndarray | None = None) -> np.ndarray:
        """Return covariances of products of deviations, of a normal vector of this covariance."""
        other = sigma if other is None else other
        a, b = self.left, self.right
        straight = sigma[np.ix_(a, a)] * other[np.ix_(b, b)]
        return straight + sigma[np.ix_(a, b)] * other[np.ix_(b, a)]

    def in_units(self, errors: np.ndarray, scale: np.ndarray) -> GaussianStandardErrors:
        """Name the errors, in the units of the rows."""
        K, d = self.n_components, self.n_features
        weights, means, pairs = np.split(errors, [K, K + K * d])
        full = np.empty((K, d, d))
        pairs = pairs.reshape(K, -1) * scale[self.left] * scale[self.right]
        full[:, self.left, self.right] = full[:, self.right, self.left] = pairs
        variances = np.diagonal(full, axis1=1, axis2=2).copy()
        covariances = full if self.family.dense else variances
        shape = self.family.covariance_shape(K, d)
        if len(shape) < covariances.ndim:
            covariances = covariances[0] if self.family.dense else covariances[:, 0]
        return GaussianStandardErrors(
            weights, means.reshape(K, d) * scale, variances, covariances.copy()
        )


class Deviations:
    """A piece of the rows, with what is expected of their missing cells."""

    def __init__(self, chart: Chart, z: np.ndarray, counts: np.ndarray, resp: np.ndarray) -> None:
        self.chart, self.counts, self.squares, self.resp = chart, counts, counts**2, resp
        self.holes = np.isnan(z)
        self.patterns: list[tuple[np.ndarray, np.ndarray]] = []  # rows, and their missing cells
        incomplete = np.flatnonzero(self.holes.any(axis=0))
        if len(incomplete):
            patterns, of_row = np.unique(self.holes[:, incomplete].T, axis=0, return_inverse=True)
            of_row = of_row.ravel()
            for i, missing in enumerate(patterns):
                self.patterns.append((incomplete[of_row == i], np.flatnonzero(missing)))
        self.z = z

    def _expected(self, k: int) -> np.ndarray:
        """Return deviations from the k-th mean, expected ones of missing cells, (n, d)."""
        u = (self.z - self.chart.params.means[k][:, None]).T
        for rows, missing in self.patterns:
            u[np.ix_(rows, missing)] = 0.0
            if self.chart.family.dense:
                gain, _ = self._given(k, missing)
                seen = np.setdiff1d(np.arange(u.shape[1]), missing)
                u[np.ix_(rows, missing)] = u[np.ix_(rows, seen)] @ gain.T
        return u

    def _given(self, k: int, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what observed cells say of missing ones: regression and covariance."""
        sigma = self.chart.matrices[k]
        seen = np.setdiff1d(np.arange(len(sigma)), missing)
        cross = sigma[np.ix_(missing, seen)]
        gain = np.linalg.solve(sigma[np.ix_(seen, seen)], cross.T).T
        return gain, sigma[np.ix_(missing, missing)] - gain @ cross.T

    def _spread(self, k: int, missing: np.ndarray) -> np.ndarray:
        """Return the covariance (d, d) of a row given its observed cells."""
        spread = np.zeros_like(self.chart.matrices[k])
        spread[np.ix_(missing, missing)] = self._given(k, missing)[1]
        return spread

    def deviations(self, k: int) -> np.ndarray:
        chart = self.chart
        u = self._expected(k)
        products = u[:, chart.left] * u[:, chart.right]
        products -= chart.matrices[k][chart.left, chart.right]
        for rows, missing in self.patterns:
            products[rows] += self._spread(k, missing)[chart.left, chart.right]
        return np.concatenate([u, products @ chart.summed], axis=1)

    def complete(self, k: int, shares: np.ndarray) -> np.ndarray:
        chart, sigma = self.chart, self.chart.matrices[k]
        d, total = chart.n_features, shares.sum()
        n_pairs = len(chart.left)
        information = np.zeros((d + n_pairs, d + n_pairs))
        information[:d, :d] = total * sigma
        information[d:, d:] = total * chart.of_products(sigma)
        u = self._expected(k) if self.patterns else self.z.T
        for rows, missing in self.patterns:
            weight, own = shares[rows], u[rows]
            spread = self._spread(k, missing)
            first, second = weight @ own, (own.T * weight) @ own
            information[:d, :d] -= weight.sum() * spread
            cross = first[chart.right] * spread[:, chart.left]
            cross = cross + first[chart.left] * spread[:, chart.right]
            information[:d, d:] -= cross
            information[d:, :d] -= cross.T
            both = chart.of_products(second, spread) + chart.of_products(spread, second)
            information[d:, d:] -= both + weight.sum() * chart.of_products(spread)
        sums = np.zeros((d + n_pairs, d + chart.summed.shape[1]))
        sums[:d, :d] = np.eye(d)
        sums[d:, d:] = chart.summed
        return sums.T @ information @ sums
