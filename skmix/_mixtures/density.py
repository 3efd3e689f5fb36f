"""The density of a Gaussian mixture: its slope, and in one dimension its levels."""

from __future__ import annotations

from typing import Any, NamedTuple

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
        below = self._line("cdf").cdf(values)
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
        line = self._line("quantile")
        found = np.where(levels < 0.5, -np.inf, np.inf)
        inside = (levels > 0.0) & (levels < 1.0)
        for sign, chosen in ((1.0, inside & (levels <= 0.5)), (-1.0, inside & (levels > 0.5))):
            if chosen.any():  # of the upper tail in the mirror
                tails = levels[chosen] if sign > 0 else 1.0 - levels[chosen]
                own = line if sign > 0 else line.mirrored()
                found[chosen] = sign * own.lower_quantiles(tails)
        return found[()]

    def _line(self, method: str) -> Line:
        """Return the components of positive weight, of a mixture of one feature."""
        check_is_fitted(self)
        n_features = learned(self, "means_", (None, None)).shape[1]
        if n_features > 1:
            raise ValueError(
                f"{method} needs a mixture of one feature, but this one has {n_features}. Take "
                "that of one of them first, by marginal([j])."
            )
        family, params = family_in_units(self)
        deviations = np.sqrt(family.variances(params)[:, 0])
        weights, box = self._all_weights(), self._box()
        weights = weights / weights.sum()
        alive = np.flatnonzero(weights[: len(deviations)] > 0)
        own = Line(weights[alive], params.means[alive, 0], deviations[alive])
        if box is None or not weights[-1] > 0:
            return own
        return own._replace(noise=float(weights[-1]), low=box.low[0], length=box.lengths[0])


def _as_floats(values: Any, name: str) -> np.ndarray:
    refuse_masked(values, name)
    with naming(name, "a number or an array of numbers"):
        return reals(values)


class Line(NamedTuple):
    """A mixture of one feature: Gaussians, and noise that is uniform over an interval."""

    weights: np.ndarray  # (n_components,), with that of the noise they sum to 1
    means: np.ndarray  # (n_components,)
    deviations: np.ndarray  # (n_components,)
    noise: float = 0.0  # the weight of the noise
    low: float = 0.0  # where the noise begins, and how far it goes
    length: float = 0.0

    def mirrored(self) -> Line:
        """Return the mixture of the negative of the feature."""
        return self._replace(means=-self.means, low=-(self.low + self.length))

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """Return the distribution function at values of any shape."""
        below = ndtr((x[..., None] - self.means) / self.deviations) @ self.weights
        if self.noise > 0:
            below = below + self.noise * self._share_below(x)
        return below

    def log_cdf(self, x: np.ndarray) -> np.ndarray:
        """Return its logarithm, with all digits in the lower tail."""
        of_each = log_ndtr((x[..., None] - self.means) / self.deviations) + np.log(self.weights)
        total = logsumexp(of_each, axis=-1)
        if self.noise > 0:
            with np.errstate(divide="ignore"):  # below the interval
                total = np.logaddexp(total, np.log(self.noise * self._share_below(x)))
        return total

    def _share_below(self, x: np.ndarray) -> np.ndarray:
        return np.clip((x - self.low) / self.length, 0.0, 1.0)

    def lower_quantiles(self, levels: np.ndarray) -> np.ndarray:
        """Return where the distribution function reaches levels (n,) of at most a half."""
        of_each = self.means + self.deviations * ndtri(levels)[:, None]
        if self.noise > 0:
            of_each = np.column_stack([of_each, self.low + self.length * levels])
        slack = np.abs(of_each).max(axis=1) + max(self.deviations.max(), self.length)
        slack *= ROUNDINGS * np.finfo(float).eps
        bracket = of_each.min(axis=1) - slack, of_each.max(axis=1) + slack

        def excess(x: np.ndarray, log_level: np.ndarray) -> np.ndarray:
            return self.log_cdf(x) - log_level

        return elementwise.find_root(excess, bracket, args=(np.log(levels),)).x
