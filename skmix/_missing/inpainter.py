"""Missing values filled in by a Gaussian mixture."""

from __future__ import annotations

import numpy as np
from sklearn.base import TransformerMixin, _fit_context
from sklearn.impute import MissingIndicator
from sklearn.utils import check_random_state
from sklearn.utils._mask import _get_mask
from sklearn.utils._param_validation import MissingValues
from sklearn.utils.validation import _check_feature_names_in, check_array, check_is_fitted

from .._interface import validation
from .._interface.magnitudes import check_magnitudes
from .._interface.masked import masked_as_missing
from .._mixtures.wrapping import MixtureBased


class ConditionalGMMInpainter(TransformerMixin, MixtureBased):
    r"""Fill missing values by their expectation under a Gaussian mixture.

    A mixture is fitted to rows that may be incomplete, by EM on the likelihood of what is
    observed. A missing cell is then filled with its posterior mean given the observed cells of
    its row, :math:`E[x_m | x_o] = \sum_k \pi_{k|o}\, \mu_{k|o}`; observed cells stay as they
    are, to the bit.

    Parameters
    ----------
    n_components : int, default=1
        The number of mixture components. One is multivariate regression of every missing cell
        on all the observed ones of its row.

    covariance_type : {'full', 'tied', 'diag', 'spherical'} or three letters, default='full'
        What the components' covariances look like, as in :class:`GaussianMixture`. With 'diag',
        'spherical' and others whose last letter is I only the choice between components carries
        over from cell to cell.

    missing_values : int or float, default=np.nan
        What stands for a missing cell. If it is not NaN, NaN is refused.

    sample_posterior : bool, default=False
        Whether to fill with random draws from the posterior instead of its mean, as multiple
        imputation needs.

    add_indicator : bool, default=False
        Whether to append a column of zeros and ones for every column with missing values at fit
        time, as :class:`sklearn.impute.MissingIndicator` makes them.

    random_state : int, RandomState instance or None, default=None
        Controls the start of EM and the draws of `sample_posterior`. Pass an int for
        reproducible output.

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

    shrinkage : float or 'auto', default='auto'
        Pseudo-observations per component with the pooled within-component covariance, as in
        :class:`GaussianMixture`. 'auto' chooses them by the data and shrinks correlations as
        well, which matters where rows are few for the number of features: 0.94 became 0.32 as
        the error of filling in 100 rows of 500 features. A number must be 0 with 'tied'.

    Attributes
    ----------
    mixture_ : GaussianMixture
        The fitted mixture; its `impute`, `condition` and `sample_conditional` tell more about
        missing cells.

    indicator_ : MissingIndicator or None
        What makes the columns of `add_indicator`; None without it.

    n_iter_ : int
        The number of EM iterations.

    reg_covar_ : ndarray of shape (n_features,)
        What was added to the variances of each column, in squared units of `X`.

    shrinkage_ : float
        The pseudo-observations: `shrinkage`, or what 'auto' chose.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    GaussianMixture : The mixture inside, which takes missing values itself.
    sklearn.impute.IterativeImputer : Regression of every column on others, in turns.
    sklearn.impute.KNNImputer : Averages over similar rows.

    Notes
    -----
    Per row and component, a fill costs about :math:`b^3` floating-point operations, b being the
    number of missing or of observed cells of the row, whichever is smaller, and :math:`2 d^2`
    for d features; 'diag' and 'spherical' cost 3 d. Exact where values are missing at random:
    whether a cell is missing may depend on observed cells, but not on its own value.

    References
    ----------
    Z. Ghahramani, M. I. Jordan, "Supervised learning from incomplete data via an EM approach",
    Advances in Neural Information Processing Systems 6, 1994.

    D. B. Rubin, "Inference and missing data", Biometrika 63(3), 1976.
    :doi:`10.1093/biomet/63.3.581`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import ConditionalGMMInpainter
    >>> X = [[1.0, 2.1], [2.0, 3.9], [3.0, np.nan], [4.0, 8.1], [np.nan, 9.9]]
    >>> ConditionalGMMInpainter(tol=1e-6, shrinkage=0.0).fit_transform(X).round(1)
    array([[1. , 2.1],
           [2. , 3.9],
           [3. , 6. ],
           [4. , 8.1],
           [4.9, 9.9]])
    """

    _parameter_constraints: dict = {
        **MixtureBased._parameter_constraints,
        "missing_values": [MissingValues(numeric_only=True)],
        "sample_posterior": ["boolean"],
        "add_indicator": ["boolean"],
    }

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="full",
        missing_values=np.nan,
        sample_posterior=False,
        add_indicator=False,
        random_state=None,
        tol=1e-3,
        reg_covar="auto",
        max_iter=100,
        n_init=1,
        init_params="auto",
        verbose=0,
        verbose_interval=10,
        shrinkage="auto",
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.missing_values = missing_values
        self.sample_posterior = sample_posterior
        self.add_indicator = add_indicator
        self.random_state = random_state
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.shrinkage = shrinkage

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Fit the mixture to complete or incomplete rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows. Those that are entirely missing are left out.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If a column is entirely missing, `X` is infinite somewhere, or the mixture cannot be
            fitted, as in :class:`GaussianMixture`. An earlier fit is kept.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` iterations did not reach `tol`.
        DegenerateComponentWarning
            If components were repaired.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import ConditionalGMMInpainter
        >>> X = [[0.0, 0.0], [1.0, 1.0], [2.0, np.nan]]
        >>> ConditionalGMMInpainter(shrinkage=0.0).fit(X).mixture_.means_.round(2)
        array([[1., 1.]])
        """
        with validation.earlier_fit_kept(self):
            X = self._validate(X, ensure_min_samples=2)
            self._fit_mixture(X, sample_weight)
            self.indicator_ = None
            if self.add_indicator:
                # An array in any case: its columns join those of the rows before they are framed.
                indicator = MissingIndicator(error_on_new=False).set_output(transform="default")
                self.indicator_ = indicator.fit(X)
        return self

    def transform(self, X):
        """Return the rows with missing cells filled in.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows. One that is entirely missing becomes the mean of the mixture.

        Returns
        -------
        X_filled : ndarray of shape (n_samples, n_features + n_indicators)
            A copy of the rows without missing cells, and the columns of `add_indicator`.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import ConditionalGMMInpainter
        >>> inpainter = ConditionalGMMInpainter(missing_values=-1, shrinkage=0.0)
        >>> inpainter.fit([[0, 1], [1, 3], [2, 2]]).transform([[4, -1]]).round(3)
        array([[4. , 3.5]])
        """
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        if self.sample_posterior:
            rng = check_random_state(self.random_state)
            filled = self.mixture_.sample_conditional(X, 1, random_state=rng)[0]
        else:
            filled = self.mixture_.impute(X)
        if self.indicator_ is None:
            return filled
        return np.hstack([filled, self.indicator_.transform(X).astype(filled.dtype)])

    def predict_std(self, X):
        """Return the posterior standard deviations of the missing cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        std : ndarray of shape (n_samples, n_features)
            In units of `X`; 0 for observed cells.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import ConditionalGMMInpainter
        >>> inpainter = ConditionalGMMInpainter().fit([[0.0, 0.0], [1.0, 3.0], [2.0, 0.0]])
        >>> inpainter.predict_std([[1.0, np.nan]]).round(3)
        array([[0.   , 1.414]])
        """
        check_is_fitted(self)
        return self.mixture_.impute(self._validate(X, reset=False), return_std=True)[1]

    def score_samples(self, X):
        """Return the log density of the observed cells of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
            Natural logarithms of the density (nats), 0 for a row that is entirely missing.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import ConditionalGMMInpainter
        >>> inpainter = ConditionalGMMInpainter().fit([[-1, -1], [1, -1], [-1, 1], [1, 1]])
        >>> inpainter.score_samples([[0.0, np.nan], [np.nan, np.nan]]).round(4)
        array([-0.9189,  0.    ])
        """
        check_is_fitted(self)
        return self.mixture_.score_samples(self._validate(X, reset=False))

    def score(self, X, y=None):
        """Return the mean log density of the rows, by which a search can choose `n_components`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        log_likelihood : float
            Mean log-likelihood of the observed cells per row (nats).

        Examples
        --------
        >>> from skmix import ConditionalGMMInpainter
        >>> inpainter = ConditionalGMMInpainter().fit([[-1.0], [1.0]])
        >>> round(inpainter.score([[-1.0], [1.0]]), 4)
        -1.4189
        """
        check_is_fitted(self)
        return self.mixture_.score(self._validate(X, reset=False))

    def inverse_transform(self, X):
        """Return the rows as they are, less the columns of `add_indicator`.

        Filling in is not undone: a pipeline behind PCA, inverted, gives the restored rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features + n_indicators)
            What `transform` returned.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Its first `n_features_in_` columns.

        Raises
        ------
        ValueError
            If `X` has another number of columns than `transform` returns.

        Examples
        --------
        >>> from skmix import ConditionalGMMInpainter
        >>> inpainter = ConditionalGMMInpainter().fit([[-1.0], [1.0]])
        >>> inpainter.inverse_transform([[2.0]])
        array([[2.]])
        """
        check_is_fitted(self)
        X = check_array(masked_as_missing(X), dtype=[np.float64, np.float32])
        n_columns = len(self.get_feature_names_out())
        if X.shape[1] != n_columns:
            raise ValueError(
                f"X has {X.shape[1]} columns, but transform returns {n_columns}; pass what "
                "transform returned."
            )
        return X[:, : self.n_features_in_]

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns; None takes those seen in `fit`, or "x0", "x1" and so on.

        Returns
        -------
        names : ndarray of str
            The names of the columns, then those of the columns of `add_indicator`.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import ConditionalGMMInpainter
        >>> inpainter = ConditionalGMMInpainter(add_indicator=True)
        >>> inpainter.fit([[0.0, 1.0], [1.0, np.nan], [2.0, 0.0]]).get_feature_names_out()
        array(['x0', 'x1', 'missingindicator_x1'], dtype=object)
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        if self.indicator_ is None:
            return names
        return np.concatenate([names, self.indicator_.get_feature_names_out(names)])

    def _validate(self, X, **options):
        """Check rows and code missing cells as NaN."""
        marked = not np.isnan(self.missing_values)
        X = masked_as_missing(X, self.missing_values)
        X = validation.validate_rows(
            self,
            X,
            ensure_all_finite=True if marked else "allow-nan",
            any_size=marked,
            **options,
        )
        if marked:  # a marker may have any size
            X = np.where(_get_mask(X, self.missing_values), np.nan, X).astype(X.dtype)
            check_magnitudes(self, X, in_fit=options.get("reset", True))
        return X
