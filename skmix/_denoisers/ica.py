"""Denoising with one scale per row and source: independent components."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import _fit_context
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from .._engine import em
from .._families import ScaleFamily, ScaleParams, spread_scales
from .._interface import validation
from .._interface.callbacks import Task
from .._interface.wording import check_random_state, learned, learned_positive, learned_weights
from .._rows.sources import ArraySource, Chunk, Scratch
from .._rows.threads import one_blas_thread
from .scales import ScaleMixtureDenoiser, singular

# FastICA sees no more rows than this.
MAX_ICA_ROWS = 20_000


class ICADenoiser(ScaleMixtureDenoiser):
    r"""Denoise with independent sources, each a scale mixture, as the density of clean rows.

    After an orthogonal rotation V of the centred rows, :math:`s = V^T (x - \mu)`, the sources
    are independent, each a mixture :math:`\sum_k \pi_{jk} N(0, v_{jk})`. Noise of one variance
    stays what it is under a rotation, so that sources are denoised one by one, and rotated back.

    Parameters
    ----------
    n_components : int, default=5
        The number of scales of every source.

    rotation : {'pca', 'ica'}, default='pca'
        'pca' takes the eigenvectors of the covariance, 'ica' the orthogonal matrix nearest to the
        unmixing matrix of :class:`sklearn.decomposition.FastICA` (on at most 20 000 rows).

    noise_std : float, default=0.1
        Standard deviation of the noise that `transform` removes, in units of `X`: one for all
        features.

    training_noise_std : float, default=0.0
        Standard deviation of noise that the training rows already carry; taken out in the
        E-step.

    assume_centered : bool, default=False
        Whether clean rows have mean zero; otherwise the mean of the training rows is taken out.

    tol : float, default=1e-4
        EM stops when the mean log-likelihood per row changes by less than this (nats).

    reg_covar : float or 'auto', default='auto'
        Added to the variances of the sources: a number, in squared units of `X`, or 'auto', 1e-6
        of the mean variance of the columns that vary.

    max_iter : int, default=500
        The largest number of EM iterations.

    random_state : int, RandomState instance or None, default=None
        Controls FastICA and the draws of `sample`. Pass an int for reproducible output.

    verbose : int, default=0
        Printed lines of the fit, as in :class:`GaussianMixture`.

    verbose_interval : int, default=10
        Number of iterations from one printed line to the next.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components, n_features)
        The weights of the scales of every source; columns sum to 1.

    variances_ : ndarray of shape (n_components, n_features)
        The variances of the components of every source, in squared units of `X`.

    location_ : ndarray of shape (n_features,)
        The mean :math:`\mu`, in units of `X`.

    rotation_ : ndarray of shape (n_features, n_features)
        The orthogonal matrix V; sources are its columns.

    n_iter_ : int
        The number of EM iterations.

    converged_ : bool
        Whether EM reached `tol`.

    reg_covar_ : ndarray of shape (n_features,)
        What was added to the variances of every source, in squared units of `X`.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    GSMDenoiser : One scale for all features of a row.
    sklearn.decomposition.FastICA : Independent component analysis.

    Notes
    -----
    All sources are fitted in one pass per iteration, which costs :math:`2 n d^2` floating-point
    operations for the rotation and about :math:`10 n K d` for the mixtures.

    References
    ----------
    A. Hyvärinen, "Sparse code shrinkage: denoising of nongaussian data by maximum likelihood
    estimation", Neural Computation 11(7), 1999. :doi:`10.1162/089976699300016214`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import ICADenoiser
    >>> rng = np.random.default_rng(0)
    >>> clean = rng.laplace(size=(3000, 2)) * [3.0, 0.5] @ [[0.6, 0.8], [-0.8, 0.6]]
    >>> noisy = clean + rng.normal(size=clean.shape)
    >>> denoiser = ICADenoiser(3, noise_std=1.0, random_state=0).fit(clean)
    >>> bool(np.mean((denoiser.transform(noisy) - clean) ** 2) < 0.65)
    True
    """

    _parameter_constraints: dict = {
        **ScaleMixtureDenoiser._parameter_constraints,
        "rotation": [StrOptions({"pca", "ica"})],
        "noise_std": [validation.NON_NEGATIVE],
        "training_noise_std": [validation.NON_NEGATIVE],
    }

    def __init__(
        self,
        n_components=5,
        *,
        rotation="pca",
        noise_std=0.1,
        training_noise_std=0.0,
        assume_centered=False,
        tol=1e-4,
        reg_covar="auto",
        max_iter=500,
        random_state=None,
        verbose=0,
        verbose_interval=10,
    ):
        self.n_components = n_components
        self.rotation = rotation
        self.noise_std = noise_std
        self.training_noise_std = training_noise_std
        self.assume_centered = assume_centered
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.random_state = random_state
        self.verbose = verbose
        self.verbose_interval = verbose_interval

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the rotation and the scales of the sources.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Clean rows, or rows with noise of `training_noise_std`.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows. FastICA takes none.

        Returns
        -------
        self : object
            The fitted denoiser.

        Raises
        ------
        ValueError
            If a standard deviation of noise is negative, or `X` is not finite. An earlier fit is
            kept.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` iterations did not reach `tol`, or the likelihood fell in one of them
            by more than regularisation and rounding explain.

        Examples
        --------
        >>> from skmix import ICADenoiser
        >>> denoiser = ICADenoiser(1, reg_covar=0.0).fit([[-1.0], [1.0]])
        >>> denoiser.variances_
        array([[1.]])
        """
        with validation.earlier_fit_kept(self):
            X = self._validate(X, ensure_min_samples=2)
            noise_variance = self._training_noise_variance(X)
            sample_weight = validation.check_sample_weight(sample_weight, X)
            weight, rows = validation.drop_unweighted(sample_weight, X)
            task = Task.root(self, self.max_iter, X, y, sample_weight)
            with ArraySource(rows, weight) as source:
                moments = self._moments(source, None, alike=True)
                reg_covar = moments.reg_covar[0]
                noise = 0.0 if noise_variance is None else noise_variance[0]
                rotation = self._rotation(rows, weight, moments, noise)
                family = _source_family(moments.location, rotation, noise, reg_covar)
                variances = np.einsum("ij,ij->j", rotation, moments.covariance @ rotation)
                typical = np.maximum(variances - noise, reg_covar)
                start = spread_scales(typical, self.n_components)
                # Directions in which clean rows do not vary stay Gaussian: their axes are chance.
                start.variances[:, typical <= 10 * reg_covar] = reg_covar
                if np.any(start.variances + noise <= 0.0):
                    raise singular()
                result = self._fit_scales(source, family, start, task, self.max_iter)
            variances = result.params.variances
            self.weights_ = result.params.weights.astype(X.dtype)
            self.variances_ = variances.astype(X.dtype)
            self.location_ = moments.location.astype(X.dtype)
            self.rotation_ = rotation.astype(X.dtype)
            self.reg_covar_ = moments.reg_covar
            self.n_iter_, self.converged_ = result.n_iter, result.converged
            self._warn(result)
            task.end(dict)
        return self

    def _rotation(self, X, sample_weight, moments, noise_variance):
        # Noise shifts all eigenvalues alike and leaves the eigenvectors.
        values, vectors = np.linalg.eigh(moments.covariance)
        vectors = vectors[:, ::-1]
        vectors *= np.sign(vectors[np.argmax(np.abs(vectors), axis=0), np.arange(len(values))])
        if self.rotation == "pca" or X.shape[1] == 1:
            return vectors
        few = X[_evenly(len(X), sample_weight)].astype(np.float64) - moments.location
        values = values[::-1] - noise_variance
        alive = (values > 10 * max(moments.reg_covar[0], 1e-12 * values[0])) & (
            np.arange(len(values)) < len(few) - 1
        )
        whitening = vectors[:, alive] / np.sqrt(values[alive])
        with warnings.catch_warnings():
            # Any rotation near the one that it seeks will do.
            warnings.simplefilter("ignore", ConvergenceWarning)
            ica = FastICA(whiten=False, random_state=self.random_state).fit(few @ whitening)
        left, _, right = np.linalg.svd(whitening @ ica.components_.T, full_matrices=False)
        return np.hstack([left @ right, vectors[:, ~alive]])

    def _fitted(self):
        n = self.n_features_in_
        weights = learned_weights(self, "weights_", (None, n))
        params = ScaleParams(weights, learned_positive(self, "variances_", weights.shape))
        family = _source_family(
            learned(self, "location_", (n,)), learned(self, "rotation_", (n, n)), 0.0
        )
        return family, params

    def _log_density(self, X):
        family, params = self._fitted()
        with ArraySource(X) as source:
            return em.score_samples(source, family, params)

    def _posterior(self, X, noise_variance, *, with_variance):
        family, params = self._fitted()
        means = np.empty_like(X)
        variances = np.empty_like(X) if with_variance else None

        def visit(chunk: Chunk, scratch: Scratch) -> None:
            noise = noise_variance if len(noise_variance) == 1 else noise_variance[chunk.rows]
            sources = (chunk.X - family.origin) @ family.rotation
            mean, variance = _shrink(sources, params, noise[:, :1])
            means[chunk.rows] = mean @ family.rotation.T + family.origin
            if variances is not None:
                variances[chunk.rows] = variance @ (family.rotation**2).T

        with ArraySource(X) as source:
            source.for_each(visit, 8 * X.shape[1] * (3 * self.n_components + 4))
        exact = np.broadcast_to(noise_variance == 0.0, X.shape)
        np.copyto(means, X, where=exact)
        return means, variances

    @one_blas_thread()
    def sample(self, n_samples=1):
        """Draw clean rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The rows.

        y : ndarray of shape (n_samples, n_features)
            The component of every source.

        Examples
        --------
        >>> from skmix import ICADenoiser
        >>> X, y = ICADenoiser(2).fit([[-1.0], [1.0], [3.0], [-3.0]]).sample(3)
        >>> X.shape, y.shape
        ((3, 1), (3, 1))
        """
        check_is_fitted(self)
        n_samples = validation.check_n_samples(n_samples)
        random_state = check_random_state(self.random_state)
        family, params = self._fitted()
        edges = np.cumsum(params.weights, axis=0)
        levels = random_state.uniform(size=(n_samples, len(family.shape))) * edges[-1]
        labels = (levels >= edges[:-1, None]).sum(axis=0)
        deviations = np.sqrt(params.variances[labels, np.arange(len(family.shape))])
        sources = deviations * random_state.standard_normal(levels.shape)
        return sources @ family.rotation.T + family.origin, labels


def _source_family(location, rotation, noise_variance, reg_covar=0.0) -> ScaleFamily:
    ones = np.ones(len(location))
    return ScaleFamily(
        ones,
        ones,
        noise_variance * ones,
        len(ones),
        reg_variance=reg_covar,
        rotation=rotation,
        origin=location,
    )


def _shrink(sources, params: ScaleParams, noise_variance):
    """Posterior means and variances (n, n_sources) of sources with noise (n or 1, 1)."""
    observed = params.variances[:, None] + noise_variance  # (K, n or 1, n_sources)
    log_weights = np.log(np.maximum(params.weights, np.finfo(np.float64).tiny))
    resp = -0.5 * (sources**2 / observed + np.log(observed)) + log_weights[:, None]
    resp -= resp.max(axis=0)
    np.exp(resp, out=resp)
    resp /= resp.sum(axis=0)
    gain = params.variances[:, None] / observed
    factor = np.einsum("knj,knj->nj", resp, np.broadcast_to(gain, resp.shape))
    mean = factor * sources
    spread = gain * noise_variance + (gain - factor) ** 2 * sources**2
    return mean, np.einsum("knj,knj->nj", resp, np.broadcast_to(spread, resp.shape))


def _evenly(n_samples: int, sample_weight: np.ndarray | None) -> np.ndarray:
    """Indices of at most MAX_ICA_ROWS rows, evenly spaced in the cumulative weight."""
    edges = np.cumsum(np.ones(n_samples) if sample_weight is None else sample_weight)
    # As many as repetitions of whole numbers need, whatever the unit of the weights.
    smallest = 1.0 if sample_weight is None else sample_weight.min()
    n_rows = int(min(MAX_ICA_ROWS, np.ceil(edges[-1] / smallest * (1.0 - 1e-9))))
    return np.searchsorted(edges, (np.arange(n_rows) + 0.5) / n_rows * edges[-1])
