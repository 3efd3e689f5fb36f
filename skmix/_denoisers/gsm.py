"""Denoising with one scale per row: Gaussian scale mixtures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.base import _fit_context

from .._engine import em
from .._families import ScaleFamily, ScaleParams, spread_scales
from .._families.scales import SMALLEST_VARIANCE, ScaleForm
from .._interface import validation
from .._interface.callbacks import Task
from .._linalg import matrices as matrices
from .._mixtures.gaussian import GaussianMixture
from .._rows.sources import ArraySource, Chunk, Scratch
from .._rows.threads import one_blas_thread
from . import eigenbasis
from .gaussian import GaussianPrior
from .scales import Moments, ScaleMixtureDenoiser, singular


class GSMDenoiser(ScaleMixtureDenoiser, GaussianPrior):
    r"""Denoise with a Gaussian scale mixture as the density of clean rows.

    Clean rows are :math:`\sum_k \pi_k N(\mu, r_k^2 \Sigma)`: one shape, several scales, as image
    patches of one structure come in several contrasts. The posterior mean blends the Wiener
    filters of all scales, with weights from :math:`N(y; \mu, r_k^2 \Sigma + \sigma^2 I)`.

    Parameters
    ----------
    n_components : int, default=5
        The number of scales.

    noise_std : float or array-like of shape (n_features,), default=0.1
        Standard deviation of the noise that `transform` removes, in units of `X`.

    training_noise_std : float or array-like of shape (n_features,), default=0.0
        Standard deviation of noise that the training rows already carry; taken out of the
        covariance, and of the scales in the E-step.

    assume_centered : bool, default=False
        Whether clean rows have mean zero; otherwise the mean of the training rows is taken out.

    learn_covariance : bool, default=False
        Whether EM learns :math:`\Sigma` too, in turns with the scales. Otherwise it is the second
        moment of the training rows, less their noise.

    tol : float, default=1e-4
        EM stops when the mean log-likelihood per row changes by less than this (nats).

    reg_covar : float or 'auto', default='auto'
        Added to the diagonal of :math:`\Sigma`: a number, in squared units of `X`, or 'auto', 1e-6
        of the variance of each column. In units of its mean it is also added to every squared
        scale, since rows at the very mean would make one vanish.

    max_iter : int, default=500
        The largest number of EM iterations.

    random_state : int, RandomState instance or None, default=None
        Controls the draws of `sample`.

    verbose : int, default=0
        Printed lines of the fit, as in :class:`GaussianMixture`.

    verbose_interval : int, default=10
        Number of iterations from one printed line to the next.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        The weights of the scales; they sum to 1.

    scales_ : ndarray of shape (n_components,)
        The scales :math:`r_k`, increasing.

    location_ : ndarray of shape (n_features,)
        The mean :math:`\mu`, in units of `X`.

    covariance_ : ndarray of shape (n_features, n_features)
        The shape :math:`\Sigma`, in squared units of `X`.

    mixture_ : GaussianMixture
        The same density as a mixture with full covariances.

    n_iter_ : int
        The number of EM iterations.

    converged_ : bool
        Whether EM reached `tol`.

    reg_covar_ : ndarray of shape (n_features,)
        What was added to the variances of each column, in squared units of `X`.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    MVNDenoiser : One scale.
    GMMDenoiser : Components of any shape.
    sklearn.covariance.EmpiricalCovariance : scikit-learn's estimate of the covariance.

    Notes
    -----
    The update is :math:`r_k^2 = \sum_i c_{ik} u_i / (d \sum_i c_{ik})` with responsibilities
    :math:`c_{ik}` and :math:`u_i = (x_i - \mu)^T \Sigma^{-1} (x_i - \mu)`: after one pass that
    costs :math:`n d^2`, an iteration sees one number per row. With training noise it sees d.
    A turn of `learn_covariance` costs two such passes, with training noise K + 1.

    References
    ----------
    J. Portilla, V. Strela, M. J. Wainwright, E. P. Simoncelli, "Image denoising using scale
    mixtures of Gaussians in the wavelet domain", IEEE Transactions on Image Processing 12(11),
    2003. :doi:`10.1109/TIP.2003.818640`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import GSMDenoiser
    >>> rng = np.random.default_rng(0)
    >>> clean = rng.choice([1.0, 10.0], size=(3000, 1)) * rng.normal(size=(3000, 8))
    >>> denoiser = GSMDenoiser(2, assume_centered=True).fit(clean)
    >>> ratio = denoiser.scales_[1] / denoiser.scales_[0]
    >>> print(f"{ratio:.0f}, {denoiser.weights_.round(2)}")
    10, [0.48 0.52]
    """

    _parameter_constraints: dict = {
        **ScaleMixtureDenoiser._parameter_constraints,
        "learn_covariance": ["boolean"],
    }

    def __init__(
        self,
        n_components=5,
        *,
        noise_std=0.1,
        training_noise_std=0.0,
        assume_centered=False,
        learn_covariance=False,
        tol=1e-4,
        reg_covar="auto",
        max_iter=500,
        random_state=None,
        verbose=0,
        verbose_interval=10,
    ):
        self.n_components = n_components
        self.noise_std = noise_std
        self.training_noise_std = training_noise_std
        self.assume_centered = assume_centered
        self.learn_covariance = learn_covariance
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.random_state = random_state
        self.verbose = verbose
        self.verbose_interval = verbose_interval

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the shape and the scales of clean rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Clean rows, or rows with noise of `training_noise_std`.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows.

        Returns
        -------
        self : object
            The fitted denoiser.

        Raises
        ------
        ValueError
            If a standard deviation of noise is negative or has the wrong shape, or `X` is not
            finite. An earlier fit is kept.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` iterations did not reach `tol`, or the likelihood fell in one of them
            by more than regularisation and rounding explain.

        Examples
        --------
        >>> from skmix import GSMDenoiser
        >>> denoiser = GSMDenoiser(1, reg_covar=0.0).fit([[-1.0], [1.0]])
        >>> denoiser.covariance_, denoiser.scales_
        (array([[1.]]), array([1.]))
        """
        with validation.earlier_fit_kept(self):
            X = self._validate(X, ensure_min_samples=2)
            noise_variance = self._training_noise_variance(X)
            validation.check_noise_std(self.noise_std, X.shape[1], "noise_std")
            sample_weight = validation.check_sample_weight(sample_weight, X)
            weight, rows = validation.drop_unweighted(sample_weight, X)
            task = Task.root(self, self.max_iter, X, y, sample_weight)
            with ArraySource(rows, weight) as source:
                moments = self._moments(source, noise_variance, alike=self._known.columns_alike)
                if noise_variance is None:
                    fit_scales = partial(self._by_distances, source, task)
                else:
                    floor = 1e-8 * np.diagonal(moments.covariance)
                    unit = np.sqrt(np.maximum(noise_variance, floor))
                    fit_scales = partial(self._by_coordinates, source, task, unit)
                moments, result = self._fit_in_turns(moments, fit_scales)
            self._keep(moments, result.params, X.dtype)
            self.reg_covar_ = moments.reg_covar
            self.n_iter_, self.converged_ = result.n_iter, result.converged
            self._warn(result)
            task.end(dict)
        return self

    @one_blas_thread()
    def _posterior(self, X, noise_variance, *, with_variance):
        if len(noise_variance) > 1:
            family, params = self.mixture_._dense_family()
            params = params._replace(covariances=family.covariances(params))
            per_row = noise_variance[:, 0]
            shared = eigenbasis.shared_shape(family.from_frame(params), per_row)
            if shared is not None:
                with ArraySource(X) as source:
                    return eigenbasis.denoise(source, shared, per_row, with_variance=with_variance)
        return super()._posterior(X, noise_variance, with_variance=with_variance)

    def _fit_in_turns(self, moments, fit_scales):
        """Fit the scales, with `learn_covariance` in turns with the shape.

        `fit_scales(moments, params, max_iter)` runs EM for the scales and returns its result, and
        a function from parameters to the shape that is then most likely.
        """
        params = spread_scales(np.ones(1), self.n_components)
        bound, n_iter, fall = -np.inf, 0, 0.0
        while True:
            result, shape_given = fit_scales(moments, params, self.max_iter - n_iter)
            params, n_iter = result.params, n_iter + result.n_iter
            before, bound, fall = bound, result.lower_bound, max(fall, result.fall)
            ended = bound - before < self.tol or n_iter == self.max_iter or result.stopped
            shape = None if ended or not self.learn_covariance else shape_given(params)
            if shape is None or not shape.any():  # rows that do not vary have no shape
                converged = result.converged and fall == 0.0
                return moments, result._replace(n_iter=n_iter, fall=fall, converged=converged)
            # Of the scales and the shape only the product is determined.
            share = np.trace(shape) / np.trace(moments.covariance)
            params = params._replace(variances=params.variances * share)
            shape = shape / share + np.diag(moments.reg_covar)
            moments = moments._replace(covariance=shape)

    def _by_distances(self, source, task, moments, params, max_iter):
        """Fit the scales to squared Mahalanobis distances, one number per row."""
        n_features = len(moments.location)
        family = ScaleFamily([1.0], [n_features], [0.0], reg_variance=self._reg_variance(moments))
        factor = _factor(moments.covariance)
        distances = _distances(source, moments.location, factor)
        with ArraySource(distances, source.sample_weight) as of_distances:
            result = self._fit_scales(of_distances, family, params, task, max_iter)
        bound = result.lower_bound + np.log(np.diagonal(factor)).sum()

        def shape_given(params):
            form = family.prepare(params, distances.dtype)

            def factor_of(chunk: Chunk, scratch: Scratch) -> np.ndarray:
                resp = _responsibilities(form, distances[chunk.rows], scratch)
                return (1.0 / params.variances.T) @ resp

            _, (total,) = _second_moments(source, moments.location, factor_of, 1, form)
            return total / source.total_weight

        return result._replace(lower_bound=bound), shape_given

    def _by_coordinates(self, source, task, unit, moments, params, max_iter):
        """Fit the scales to coordinates in which the shape is diagonal and the noise is one."""
        values, vectors = np.linalg.eigh(moments.covariance / np.outer(unit, unit))
        ones = np.ones(len(values))
        family = ScaleFamily(
            values,
            ones,
            ones,
            reg_variance=self._reg_variance(moments),
            rotation=vectors / unit[:, None],
            origin=moments.location,
        )
        result = self._fit_scales(source, family, params, task, max_iter)

        def shape_given(params):
            form = family.prepare(params, np.dtype(np.float64))

            def factors_of(chunk: Chunk, scratch: Scratch) -> np.ndarray:
                return _responsibilities(form, chunk.X, scratch)

            counts, noisy = _second_moments(
                source, moments.location, factors_of, self.n_components, form
            )
            noisy = family.rotation.T @ noisy @ family.rotation
            observed = family.observed_variances(params)
            gain = (observed - 1.0) / observed
            # The expected second moment of clean rows: filtered, plus what the filter leaves.
            clean = gain[:, :, None] * noisy * gain[:, None, :]
            clean += (counts[:, None] * gain)[:, :, None] * np.eye(len(values))
            shape = np.einsum("kij,k->ij", clean, 1.0 / params.variances[:, 0])
            back = unit[:, None] * vectors
            return back @ shape @ back.T / source.total_weight

        return result, shape_given

    def _reg_variance(self, moments: Moments) -> float:
        """What is added to squared scales: `reg_covar` in units of the mean variance."""
        mean = np.diagonal(moments.covariance).mean()
        return moments.reg_covar.mean() / max(mean, SMALLEST_VARIANCE)

    def _keep(self, moments: Moments, params: ScaleParams, dtype) -> None:
        order = np.argsort(params.variances[:, 0])
        weights, variances = params.weights[order, 0], params.variances[order, 0]
        mixture = GaussianMixture(self.n_components, random_state=self.random_state)
        mixture._set_parameters(
            weights,
            np.tile(moments.location, (self.n_components, 1)),
            variances[:, None, None] * moments.covariance,
        )
        self.mixture_ = mixture
        self.weights_ = weights.astype(dtype)
        self.scales_ = np.sqrt(variances).astype(dtype)
        self.location_ = moments.location.astype(dtype)
        self.covariance_ = moments.covariance.astype(dtype)


def _factor(covariance: np.ndarray) -> np.ndarray:
    try:
        return matrices.inverse_cholesky(covariance)
    except np.linalg.LinAlgError:
        raise singular() from None


def _responsibilities(form: ScaleForm, X: np.ndarray, scratch: Scratch) -> np.ndarray:
    """Responsibilities of the scales for a chunk, (n_components, n_chunk)."""
    _, _, resp, norm, _ = em.exp_log_prob(form, X, scratch)
    return np.divide(resp, norm, out=resp)


def _second_moments(
    source: ArraySource,
    location: np.ndarray,
    factors_of: Callable[[Chunk, Scratch], np.ndarray],
    n_sums: int,
    form: ScaleForm,
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of factors, and of squares about the location times factors (n_sums, n_chunk).

    `form` is what makes the factors of a chunk, so that no array has a factor per row.
    """
    n_features = len(location)

    def zeros() -> list[np.ndarray]:
        return [np.zeros(n_sums), *matrices.zeros_lower(n_features, n_sums)]

    def add(chunk: Chunk, totals, scratch: Scratch) -> None:
        factors = factors_of(chunk, scratch)
        if chunk.sample_weight is not None:
            factors = factors * chunk.sample_weight
        totals[0] += factors.sum(axis=1, dtype=np.float64)
        z = scratch.array("deviations", (n_features, len(chunk.X)), np.float64)
        np.subtract(chunk.X.T, location[:, None], out=z)
        for k, factor in enumerate(factors):
            matrices.add_lower(totals[1:], k, z, factor, scratch)

    sums, *totals = source.reduce(add, zeros, 24 * n_features + form.bytes_per_row)
    return sums, matrices.from_lower(totals)


def _distances(source: ArraySource, location: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Squared Mahalanobis distances of all rows, (n_samples, 1)."""
    distances = np.empty((source.n_samples, 1))

    def visit(chunk: Chunk, scratch: Scratch) -> None:
        z = scratch.array("features", chunk.X.shape[::-1], np.float64)
        np.subtract(chunk.X.T, location[:, None], out=z)
        distances[chunk.rows, 0] = matrices.squared_norms(factor, z, scratch)

    source.for_each(visit, 24 * len(location))
    return distances
