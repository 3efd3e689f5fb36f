"""A denoiser whose clean rows have a Gaussian mixture as their density."""

from __future__ import annotations

from sklearn.base import _fit_context

from .._interface import validation
from .._mixtures.covariance_types import FAMILIES
from .._mixtures.gaussian import GaussianMixture
from .._mixtures.wrapping import MixtureBased
from .base import Denoiser
from .gaussian import GaussianPrior


class GMMDenoiser(GaussianPrior, MixtureBased):
    r"""Denoise with a Gaussian mixture as the density of clean rows.

    Clean rows have the density :math:`\sum_k \pi_k N(\mu_k, \Sigma_k)`, noisy ones are
    :math:`y = x + n`, :math:`n \sim N(0, \sigma^2 I)`. The estimate is the posterior mean, a
    blend of one Wiener filter per component:
    :math:`E[x | y] = \sum_k p(k | y)\, (\mu_k + \Sigma_k (\Sigma_k + \sigma^2 I)^{-1}
    (y - \mu_k))`, with :math:`p(k | y) \propto \pi_k N(y; \mu_k, \Sigma_k + \sigma^2 I)`.

    Parameters
    ----------
    n_components : int, default=1
        The number of mixture components.

    covariance_type : {'full', 'tied', 'diag', 'spherical'} or three letters, default='full'
        What the components' covariances look like, as in :class:`GaussianMixture`.

    shrinkage : float or 'auto', default=0.0
        Pseudo-observations per component with the pooled within-component covariance, as in
        :class:`GaussianMixture`; 'auto' chooses them by the data. A number must be 0 but with
        'full', 'diag' and 'spherical'.

    noise_std : float or array-like of shape (n_features,), default=0.1
        Standard deviation of the noise that `transform` removes, in units of `X`: one for all
        features, or one for each.

    training_noise_std : float or array-like of shape (n_features,), default=0.0
        Standard deviation of noise that the training rows already carry. EM takes it out
        exactly: the mixture is that of the clean rows. One for all features with 'spherical'.

    random_state : int, RandomState instance or None, default=None
        Controls the start of EM and the draws of `sample`. Pass an int for reproducible output.

    tol : float, default=1e-3
        EM stops when the mean log-likelihood per row changes by less than this (nats).

    reg_covar : float or 'auto', default='auto'
        What is added to every variance: a number, in squared units of `X`, or 'auto', 1e-6 of
        the variance of each column, as in :class:`GaussianMixture`.

    max_iter : int, default=100
        The largest number of EM iterations.

    n_init : int, default=1
        The number of runs, each from its own start; the one of highest likelihood is kept.

    init_params : {'auto', 'kmeans', 'k-means++', 'random', 'random_from_data'}, default='auto'
        Where EM starts, as in :class:`GaussianMixture`.

    verbose : int, default=0
        Printed lines of the fit, as in :class:`GaussianMixture`.

    verbose_interval : int, default=10
        Number of iterations from one printed line to the next.

    prior : {'data', None}, default=None
        'data' is the conjugate prior that the rows suggest, as in :class:`GaussianMixture`: no
        component can collapse, and `shrinkage` must be 0. None is maximum likelihood.

    Attributes
    ----------
    mixture_ : GaussianMixture
        The learned density of clean rows.

    n_iter_ : int
        The number of EM iterations.

    reg_covar_ : ndarray of shape (n_features,)
        What was added to the variances of each column, in squared units of `X`.

    shrinkage_ : float
        The pseudo-observations: `shrinkage`, or what 'auto' chose.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    MVNDenoiser : One component.
    GaussianMixture : The mixture inside.

    Notes
    -----
    With one `noise_std` for all rows, `transform` costs about :math:`4 n K d^2` floating-point
    operations; with one per row or with missing cells, about :math:`n K d^3`. Training noise
    costs nothing extra per EM iteration.

    References
    ----------
    D. Zoran, Y. Weiss, "From learning models of natural image patches to whole image
    restoration", ICCV 2011. :doi:`10.1109/ICCV.2011.6126278`

    J. Bovy, D. W. Hogg, S. T. Roweis, "Extreme deconvolution: inferring complete distribution
    functions from noisy, heterogeneous and incomplete observations", Annals of Applied
    Statistics 5(2B), 2011. :doi:`10.1214/10-AOAS439`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import GMMDenoiser
    >>> rng = np.random.default_rng(0)
    >>> clean = rng.choice([-1.0, 1.0], size=(500, 1)) @ [[1.0, 2.0, 3.0]]
    >>> clean += 0.1 * rng.normal(size=clean.shape)
    >>> noisy = clean + rng.normal(size=clean.shape)
    >>> denoiser = GMMDenoiser(2, noise_std=1.0, random_state=0).fit(clean)
    >>> round(float(np.mean((denoiser.transform(noisy) - clean) ** 2)), 2)
    0.01
    """

    _flat_directions_expected = True

    _parameter_constraints: dict = {
        **Denoiser._parameter_constraints,
        **MixtureBased._parameter_constraints,
    }

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="full",
        shrinkage=0.0,
        noise_std=0.1,
        training_noise_std=0.0,
        random_state=None,
        tol=1e-3,
        reg_covar="auto",
        max_iter=100,
        n_init=1,
        init_params="auto",
        verbose=0,
        verbose_interval=10,
        prior=None,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.shrinkage = shrinkage
        self.noise_std = noise_std
        self.training_noise_std = training_noise_std
        self.random_state = random_state
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.prior = prior

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the mixture of clean rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Clean rows, or rows with noise of `training_noise_std`; NaN where a cell is missing.

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
            If a standard deviation of noise is negative or has the wrong shape, or the mixture
            cannot be fitted, as in :class:`GaussianMixture`. An earlier fit is kept.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` iterations did not reach `tol`.
        DegenerateComponentWarning
            If components were repaired.

        Examples
        --------
        >>> from skmix import GMMDenoiser
        >>> denoiser = GMMDenoiser(training_noise_std=1.0, tol=1e-9, max_iter=1000)
        >>> denoiser.fit([[-2.0], [2.0]]).mixture_.covariances_.round(2)
        array([[[3.]]])
        """
        with validation.earlier_fit_kept(self):
            X = validation.validate_rows(self, X, ensure_min_samples=2)
            noise_variance = self._training_noise_variance(X)
            validation.check_noise_std(self.noise_std, X.shape[1], "noise_std")
            if noise_variance is not None and FAMILIES[self.covariance_type].one_variance:
                validation.check_one_value(self.training_noise_std, "training_noise_std")
            self._fit_mixture(X, sample_weight, noise_variance=noise_variance)
        return self

    @classmethod
    def from_parameters(
        cls, weights, means, covariances, *, covariance_type="full", noise_std=0.1
    ):
        """Make a fitted denoiser of a given density of clean rows.

        Parameters
        ----------
        weights : array-like of shape (n_components,)
            The weights of the components; they must sum to 1, within 1e-6, and are normalised.

        means : array-like of shape (n_components, n_features)
            The means of the components, in units of the rows.

        covariances : array-like
            The covariances, shaped as `covariances_` of a :class:`GaussianMixture` of this
            `covariance_type`, in squared units of the rows.

        covariance_type : {'full', 'tied', 'diag', 'spherical'} or three letters, default='full'
            What the covariances look like.

        noise_std : float or array-like of shape (n_features,), default=0.1
            Standard deviation of the noise that `transform` removes, in units of the rows.

        Returns
        -------
        denoiser : GMMDenoiser
            A fitted instance. It has seen no data: `n_iter_` is 0.

        Raises
        ------
        ValueError
            If shapes disagree, weights do not sum to 1, a covariance is not positive definite,
            or a standard deviation of noise is negative or has the wrong shape.

        See Also
        --------
        GaussianMixture.from_parameters : The same for the mixture alone.

        Examples
        --------
        >>> from skmix import GMMDenoiser
        >>> denoiser = GMMDenoiser.from_parameters(
        ...     [0.5, 0.5], [[-3.0], [3.0]], [[[0.01]], [[0.01]]], noise_std=1.0
        ... )
        >>> denoiser.transform([[2.0]]).round(2)
        array([[2.99]])
        """
        n_components = validation.n_given_components(weights)
        denoiser = cls(n_components, covariance_type=covariance_type, noise_std=noise_std)
        denoiser._validate_params()
        mixture = GaussianMixture.from_parameters(
            weights, means, covariances, covariance_type=covariance_type
        )
        validation.check_noise_std(noise_std, mixture.n_features_in_, "noise_std")
        denoiser.mixture_, denoiser.n_iter_ = mixture, mixture.n_iter_
        denoiser.n_features_in_ = mixture.n_features_in_
        return denoiser
