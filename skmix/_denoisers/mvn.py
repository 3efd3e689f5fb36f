"""The Wiener filter: a denoiser whose clean rows have a Gaussian density."""

from __future__ import annotations

import numpy as np
from sklearn.base import _fit_context

from .._interface import validation
from .._interface.callbacks import Task
from .._mixtures.gaussian import GaussianMixture
from .._rows.threads import one_blas_thread
from .base import Denoiser
from .gaussian import GaussianPrior, less_noise


class MVNDenoiser(GaussianPrior):
    r"""Wiener filter: denoise with a multivariate normal as the density of clean rows.

    Clean rows are :math:`x \sim N(\mu, \Sigma)`, noisy ones :math:`y = x + n` with independent
    noise :math:`n \sim N(0, \sigma^2 I)`. The filter returns
    :math:`E[x | y] = (\Sigma^{-1} + I / \sigma^2)^{-1} (\Sigma^{-1} \mu + y / \sigma^2)`.

    Parameters
    ----------
    noise_std : float or array-like of shape (n_features,), default=0.1
        Standard deviation of the noise that `transform` removes, in units of `X`: one for all
        features, or one for each.

    training_noise_std : float or array-like of shape (n_features,), default=0.0
        Standard deviation of noise that the training rows already carry. Its variance is taken
        out of the covariance.

    reg_covar : float or 'auto', default='auto'
        What is added to every variance: a number, in squared units of `X`, or 'auto', 1e-6 of
        the variance of each column, as in :class:`GaussianMixture`.

    random_state : int, RandomState instance or None, default=None
        Controls the draws of `sample`.

    Attributes
    ----------
    mixture_ : GaussianMixture
        The learned density of clean rows, of one component.

    reg_covar_ : ndarray of shape (n_features,)
        What was added to the variances of each column, in squared units of `X`.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    GMMDenoiser : The same with several components.
    sklearn.covariance.EmpiricalCovariance : scikit-learn's estimate of the covariance.

    Notes
    -----
    A fit costs :math:`2 n d^2` floating-point operations, `transform` :math:`4 n d^2`. The
    maximum-likelihood covariance under training noise of variance :math:`\nu` has the
    eigenvalues of the sample covariance less :math:`\nu`, or zero where they are smaller.

    References
    ----------
    N. Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time Series", MIT
    Press, 1949. :doi:`10.7551/mitpress/2946.001.0001`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import MVNDenoiser
    >>> rng = np.random.default_rng(0)
    >>> clean = rng.normal(size=(1000, 1)) @ [[1.0, 2.0, 3.0]]
    >>> noisy = clean + 0.5 * rng.normal(size=clean.shape)
    >>> denoised = MVNDenoiser(noise_std=0.5).fit(clean).transform(noisy)
    >>> round(float(np.mean((noisy - clean) ** 2) / np.mean((denoised - clean) ** 2)), 1)
    2.9
    """

    _parameter_constraints: dict = {
        **Denoiser._parameter_constraints,
        "reg_covar": GaussianMixture._parameter_constraints["reg_covar"],
        "random_state": ["random_state"],
    }

    def __init__(
        self, *, noise_std=0.1, training_noise_std=0.0, reg_covar="auto", random_state=None
    ):
        self.noise_std = noise_std
        self.training_noise_std = training_noise_std
        self.reg_covar = reg_covar
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn mean and covariance of clean rows.

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
            If a standard deviation of noise is negative or has the wrong shape, a column is
            entirely missing, or `X` is infinite somewhere. An earlier fit is kept.

        Examples
        --------
        >>> from skmix import MVNDenoiser
        >>> MVNDenoiser(reg_covar=0.0).fit([[-1.0], [1.0]]).mixture_.covariances_
        array([[[1.]]])
        """
        with validation.earlier_fit_kept(self):
            X = validation.validate_rows(self, X, ensure_min_samples=2)
            noise_variance = self._training_noise_variance(X)
            validation.check_noise_std(self.noise_std, X.shape[1], "noise_std")
            sample_weight = validation.check_sample_weight(sample_weight, X)
            task = Task.root(self, 1, X, y, sample_weight)
            mixture = GaussianMixture(
                reg_covar=self.reg_covar, tol=1e-8, max_iter=1000, random_state=self.random_state
            )
            known = self._known._replace(flat_directions_expected=True)
            with task.subtask("mixture").fitting(mixture), mixture._knowing(known):
                mixture.fit(X, sample_weight=sample_weight)
            if noise_variance is not None:
                with one_blas_thread():
                    covariance = less_noise(mixture.covariances_[0], noise_variance)
                covariance += np.diag(mixture.reg_covar_)
                mixture._set_parameters([1.0], mixture.means_, covariance[None])
            self.mixture_, self.reg_covar_ = mixture, mixture.reg_covar_
            task.end(dict)
        return self
