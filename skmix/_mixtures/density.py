"""The density of a Gaussian mixture: its slope, and in one dimension its levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import elementwise
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri
from sklearn.utils.validation import check_is_fitted

from .._engine import posteriors
from .._interface.masked import refuse_masked
from .._interface.wording import learned, naming, reals
from .._rows.sources import ArraySource
from .covariance_types import family_in_units
from .fitted import FittedMixture

# Quantiles of components are widened by so many roundings to enclose those of their mixture.
ROUNDINGS = 64


class GaussianDensity(FittedMixture):
    """Adds the gradient of the log density, the distribution function and quantiles."""

    weights_: np.ndarray
    means_: np.ndarray

    def score_gradient(self, X):
        r"""Return the gradient of the log density at every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows, NaN where a cell is missing.

        Returns
        -------
        gradient : ndarray of shape (n_samples, n_features)
            Derivatives of `score_samples` by the cells of each row, in nats per unit of `X`;
            where cells are missing those of the density of the observed cells, which does not
            depend on the missing ones: their derivatives are 0.

        See Also
        --------
        modes : Where the gradient is 0 and the density highest.

        Notes
        -----
        This is :math:`\sum_k r_k(x)\, \Sigma_k^{-1} (\mu_k - x)` with responsibilities
        :math:`r_k(x)`: about 4 n K d² operations where covariances are matrices. It is called
        the score in the literature on diffusion and Langevin sampling.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 5.0]], [[[1.0, 0], [0, 4.0]]])
        >>> gm.score_gradient([[2.0, 5.0], [0.0, float("nan")], [0.0, 9.0]])
        array([[-2.,  0.],
               [ 0.,  0.],
               [ 0., -1.]])
        """
        X = self._validate_rows(X)
        with ArraySource(X) as source:
            return posteriors.score_gradient(source, *self._fitted_family())

    def cdf(self, x):
        """Return the probability of values up to `x`; of mixtures of one feature.

        Parameters
        ----------
        x : float or array-like of any shape
            Values, in units of the feature; NaN stays NaN.

        Returns
        -------
        probability : float or ndarray of the shape of `x`
            Probabilities between 0 and 1, in float64, with all digits in the lower tail; in the
            upper one, they lie nearer to 1 than a float can say below 1e-16.

        Raises
        ------
        ValueError
            If the mixture has more than one feature; see :meth:`marginal`.

        See Also
        --------
        quantile : The inverse.
        score_samples : The density.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[-3.0], [3.0]], [[[1.0]], [[1.0]]])
        >>> gm.cdf([-3.0, 0.0, 3.0]).round(4)
        array([0.25, 0.5 , 0.75])
        """
        values = _as_floats(x, "x")
        weights, means, deviations = self._alive_in_one_dimension("cdf")
        below = ndtr((values[..., None] - means) / deviations) @ weights
        return np.minimum(below, 1.0)[()]

    def quantile(self, q):
        """Return the values that are exceeded with probability 1 - q; of mixtures of one feature.

        Parameters
        ----------
        q : float or array-like of any shape
            Probabilities between 0 and 1.

        Returns
        -------
        x : float or ndarray of the shape of `q`
            Values in units of the feature, in float64, with ``cdf(x)`` equal to `q`; infinite
            where `q` is 0 or 1.

        Raises
        ------
        ValueError
            If the mixture has more than one feature (see :meth:`marginal`), or some `q` is not
            between 0 and 1.

        See Also
        --------
        cdf : The inverse.

        Notes
        -----
        A quantile of a mixture lies between the smallest and the largest of its components'. In
        between it is found by the bracketing method of T. R. Chandrupatla (1997,
        :doi:`10.1016/s0965-9978(96)00051-8`), on logarithms of the probability of the smaller
        tail: tails are as exact as the middle. Between components that are far apart all values
        have the same probability to rounding; any of them may come back.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[-3.0], [3.0]], [[[1.0]], [[1.0]]])
        >>> gm.quantile([0.25, 0.75]).round(3)
        array([-3.,  3.])
        >>> round(float(gm.quantile(1e-300)), 4)
        -40.0284
        """
        levels = _as_floats(q, "q")
        outside = levels[~((levels >= 0.0) & (levels <= 1.0))]
        if outside.size:
            raise ValueError(
                f"q must be probabilities between 0 and 1, but holds {outside.ravel()[0]}. "
                "Divide percentages by 100."
            )
        weights, means, deviations = self._alive_in_one_dimension("quantile")
        found = np.where(levels < 0.5, -np.inf, np.inf)
        inside = (levels > 0.0) & (levels < 1.0)
        for sign, chosen in ((1.0, inside & (levels <= 0.5)), (-1.0, inside & (levels > 0.5))):
            if chosen.any():  # of the upper tail in the mirror
                tails = levels[chosen] if sign > 0 else 1.0 - levels[chosen]
                found[chosen] = sign * _lower_quantiles(tails, weights, sign * means, deviations)
        return found[()]

    def _alive_in_one_dimension(self, method: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return weights, means and standard deviations of the components that have a weight."""
        check_is_fitted(self)
        self._refuse_noise(method)
        n_features = learned(self, "means_", (None, None)).shape[1]
        if n_features > 1:
            raise ValueError(
                f"{method} needs a mixture of one feature, but this one has {n_features}. Take "
                "that of one of them first, by marginal([j])."
            )
        family, params = family_in_units(self)
        deviations = np.sqrt(family.variances(params)[:, 0])
        alive = params.weights > 0
        weights = params.weights[alive] / params.weights[alive].sum()
        return weights, params.means[alive, 0], deviations[alive]


def _as_floats(values: Any, name: str) -> np.ndarray:
    refuse_masked(values, name)
    with naming(name, "a number or an array of numbers"):
        return reals(values)


def _lower_quantiles(
    levels: np.ndarray, weights: np.ndarray, means: np.ndarray, deviations: np.ndarray
) -> np.ndarray:
    """Return where the distribution function reaches levels (n,) of at most a half."""
    log_weights = np.log(weights)

    def excess(x: np.ndarray, log_level: np.ndarray) -> np.ndarray:
        of_each = log_ndtr((x[..., None] - means) / deviations) + log_weights
        return logsumexp(of_each, axis=-1) - log_level

    of_each = means + deviations * ndtri(levels)[:, None]
    slack = ROUNDINGS * np.finfo(float).eps * (np.abs(of_each).max(axis=1) + deviations.max())
    bracket = of_each.min(axis=1) - slack, of_each.max(axis=1) + slack
    return elementwise.find_root(excess, bracket, args=(np.log(levels),)).x
