"""Regression by a Gaussian mixture of inputs and targets."""

from __future__ import annotations

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin, _fit_context
from sklearn.utils.validation import check_is_fitted

from .._interface import validation
from .._interface.wording import naming, truth
from .._mixtures.wrapping import MixtureBased


class GMMRegressor(MultiOutputMixin, RegressorMixin, MixtureBased):
    r"""Gaussian mixture regression.

    A mixture is fitted to the joint rows (x, y); the prediction is the conditional mean
    :math:`E[y | x] = \sum_k \pi_{k|x}\, (\mu^y_k + \Sigma^{yx}_k (\Sigma^{xx}_k)^{-1}
    (x - \mu^x_k))`: linear regressions that are blended where their components meet. One full
    component is linear least squares.

    Parameters
    ----------
    n_components : int, default=1
        The number of mixture components.

    covariance_type : {'full', 'tied', 'diag', 'spherical'} or three letters, default='full'
        What the components' covariances look like, as in :class:`GaussianMixture`. With 'tied'
        all components share their slopes; with 'diag', 'spherical' and
        others whose last letter is I each predicts a constant.

    random_state : int, RandomState instance or None, default=None
        Controls the start of EM. Pass an int for reproducible output.

    tol : float, default=1e-3
        EM stops when the mean log-likelihood per row changes by less than this (nats).

    reg_covar : float or 'auto', default='auto'
        What is added to every variance: a number, in squared units of `X` and `y`, or 'auto', 1e-6
        of the variance of each column, as in :class:`GaussianMixture`.

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

    shrinkage : float or 'auto', default=0.0
        Pseudo-observations per component with the pooled within-component covariance, as in
        :class:`GaussianMixture`; 'auto' chooses them by the data. A number must be 0 with 'tied'.

    prior : {'data', None}, default=None
        'data' is the conjugate prior that the joint rows suggest, as in
        :class:`GaussianMixture`: no component can collapse, and `shrinkage` must be 0. None is
        maximum likelihood.

    Attributes
    ----------
    mixture_ : GaussianMixture
        The fitted mixture of the joint rows; the targets are its last columns.

    n_iter_ : int
        The number of EM iterations.

    reg_covar_ : ndarray of shape (n_features + n_outputs,)
        What was added to the variances of each column of `X` and `y`, in their squared units.

    shrinkage_ : float
        The pseudo-observations: `shrinkage`, or what 'auto' chose.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    GaussianMixture : The mixture inside.
    sklearn.linear_model.LinearRegression : One full component.

    Notes
    -----
    `X` may contain NaN, in `fit` and in `predict`: missing inputs are integrated out. Inputs and
    targets share the components, so k-means starts depend on their scales: standardise both.
    A prediction costs about :math:`4 d^2` floating-point operations per row and component.

    References
    ----------
    Z. Ghahramani, M. I. Jordan, "Supervised learning from incomplete data via an EM approach",
    Advances in Neural Information Processing Systems 6, 1994.

    H. G. Sung, "Gaussian mixture regression and classification", PhD thesis, Rice University,
    2004.

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import GMMRegressor
    >>> x = np.linspace(-1, 1, 200)
    >>> y = np.abs(x) + 0.1 * np.random.default_rng(0).normal(size=200)
    >>> regressor = GMMRegressor(2, random_state=0).fit(x[:, None], y)
    >>> regressor.predict([[-0.5], [0.5]]).round(1)
    array([0.5, 0.5])
    """

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="full",
        random_state=None,
        tol=1e-3,
        reg_covar="auto",
        max_iter=100,
        n_init=1,
        init_params="auto",
        verbose=0,
        verbose_interval=10,
        shrinkage=0.0,
        prior=None,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.random_state = random_state
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.shrinkage = shrinkage
        self.prior = prior

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit a mixture to the joint rows of inputs and targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs, NaN where a cell is missing.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets, without missing values.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows.

        Returns
        -------
        self : object
            The fitted regressor.

        Raises
        ------
        ValueError
            If a column of `X` is entirely missing, `X` or `y` is infinite somewhere, or the
            mixture cannot be fitted, as in :class:`GaussianMixture`. An earlier fit is kept.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` iterations did not reach `tol`.
        DegenerateComponentWarning
            If components were repaired.

        Examples
        --------
        >>> from skmix import GMMRegressor
        >>> regressor = GMMRegressor().fit([[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 4.0, 6.0])
        >>> regressor.predict([[5.0]]).round(3)
        array([9.1])
        """
        with validation.earlier_fit_kept(self):
            X, y = validation.validate_rows(
                self, X, y, multi_output=True, y_numeric=True, ensure_min_samples=2
            )
            with naming("y", "an array of numbers"):
                joint = np.column_stack([X, y]).astype(X.dtype, copy=False)
            if np.isnan(joint[:, X.shape[1] :]).all(axis=0).any():
                raise ValueError(
                    "y has a target that is entirely missing: nothing can be learned about it. "
                    "Leave that target out."
                )
            self._fit_mixture(joint, sample_weight)
            self._y_shape = y.shape[1:]
        return self

    def predict(self, X, return_std=False):
        """Return the conditional mean of the targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs, NaN where a cell is missing.

        return_std : bool, default=False
            Whether to return standard deviations too.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predictions.

        std : ndarray of the same shape
            Standard deviations of the targets given the inputs, in units of the targets. Only
            with ``return_std=True``.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import GMMRegressor
        >>> X, y = [[0.0], [0.0], [2.0], [2.0]], [0.0, 2.0, 4.0, 6.0]
        >>> regressor = GMMRegressor().fit(X, y)
        >>> mean, std = regressor.predict([[1.0], [np.nan]], return_std=True)
        >>> mean.round(2), std.round(2)
        (array([3., 3.]), array([1.  , 2.24]))
        """
        check_is_fitted(self)
        X = validation.validate_rows(self, X, reset=False)
        shape = (len(X), self.mixture_.n_features_in_ - X.shape[1])
        unknown = np.full(shape, np.nan, dtype=X.dtype)
        joint = np.hstack([X, unknown])
        if not truth(return_std, "return_std"):
            return self._targets(self.mixture_.impute(joint))
        mean, std = self.mixture_.impute(joint, return_std=True)
        return self._targets(mean), self._targets(std)

    def _targets(self, joint):
        targets = joint[:, self.n_features_in_ :]
        return targets.reshape(len(targets), *self._y_shape)
