"""Missing values filled in by a Gaussian mixture."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.base import TransformerMixin, _fit_context
from sklearn.impute import MissingIndicator
from sklearn.utils._param_validation import Interval, MissingValues
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._interface import validation
from .._interface.chunks import as_chunks
from .._interface.wording import check_random_state, naming
from .._mixtures.chunkwise import lazily_by_chunks
from .._mixtures.wrapping import MixtureBased
from .bounds import clipped
from .by_chunks import shape_of_filled
from .fit_to_seen import FitToSeen
from .seen import SeenCells, nameless


class ConditionalGMMInpainter(TransformerMixin, SeenCells, FitToSeen):
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

    prior : {'data', None}, default=None
        'data' is the conjugate prior that the rows suggest, as in :class:`GaussianMixture`: no
        component can collapse, and `shrinkage` must be 0. None is maximum likelihood.

    min_value : float or array-like of shape (n_features,), default=None
        The smallest value that is filled in, in units of `X`, for all columns or for each.
        Expectations are clipped; draws beyond the bounds are drawn again, those of a row together.
        None sets no bound.

    max_value : float or array-like of shape (n_features,), default=None
        The largest, likewise.

    keep_empty_features : bool, default=False
        Whether columns that were entirely missing in `fit` are kept, filled with 0. Otherwise
        they are left out.

    n_refits : int, default=0
        The number of mixtures that are fitted again to rows of random weights, beside `mixture_`,
        for `multiple_imputations` whose spread contains the uncertainty of parameters (see
        Notes); 20 are usual.

    Attributes
    ----------
    mixture_ : GaussianMixture
        The fitted mixture of the columns that are not empty; its `impute`, `condition` and
        `sample_conditional` tell more about missing cells.

    refits_ : list of GaussianMixture
        The mixtures of `n_refits`.

    empty_features_ : ndarray of int
        The positions of columns that were entirely missing in `fit`.

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

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
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

    Refits give every row a weight from the exponential distribution (Newton and Raftery, 1994),
    start from `mixture_`, and cost a fit each. Their covariances are multiplied by
    :math:`n / (n - d)`, at most 2, n being the rows that their weights are worth in columns with
    holes, per component: maximum likelihood makes residuals of few rows too small.

    References
    ----------
    Z. Ghahramani, M. I. Jordan, "Supervised learning from incomplete data via an EM approach",
    Advances in Neural Information Processing Systems 6, 1994.

    M. A. Newton, A. E. Raftery, "Approximate Bayesian inference with the weighted likelihood
    bootstrap", Journal of the Royal Statistical Society B 56(1), 1994.
    :doi:`10.1111/j.2517-6161.1994.tb01956.x`

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
        "min_value": [Real, "array-like", None],
        "max_value": [Real, "array-like", None],
        "keep_empty_features": ["boolean"],
        "n_refits": [Interval(Integral, 0, None, closed="left")],
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
        prior=None,
        min_value=None,
        max_value=None,
        keep_empty_features=False,
        n_refits=0,
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
        self.min_value = min_value
        self.max_value = max_value
        self.keep_empty_features = keep_empty_features
        self.n_refits = n_refits
        self.prior = prior

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Fit the mixture to complete or incomplete rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), Chunks or Dask collection
            The rows. Those that are entirely missing are left out. :class:`Chunks` and Dask
            collections are read again in every pass, or held by workers, as by
            :class:`GaussianMixture`; with `n_refits`, weights of all rows are held in memory, 16
            bytes for each.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows. None with Chunks, which have
            their own.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If all columns are entirely missing, `X` is infinite somewhere, bounds do not fit the
            columns, or the mixture cannot be fitted, as in :class:`GaussianMixture`. An earlier
            fit is kept.

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
            chunks = as_chunks(X, sample_weight)
            if chunks is None:
                holes = self._fit_array(X, sample_weight)
            else:
                holes = self._fit_chunks(chunks)
            self.indicator_ = None
            if self.add_indicator:
                # An array in any case: its columns join those of the rows before they are framed.
                indicator = MissingIndicator(error_on_new=False).set_output(transform="default")
                self.indicator_ = indicator.fit(np.where(holes, np.nan, 0.0)[None])
        return self

    @lazily_by_chunks(shape_of_filled)
    def transform(self, X):
        """Return the rows with missing cells filled in.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), Chunks or Dask collection
            The rows. One that is entirely missing becomes the mean of the mixture. :class:`Chunks`
            and Dask collections are transformed when that is asked for; not with
            `sample_posterior`, nor where `set_output` asks for frames.

        Returns
        -------
        X_filled : ndarray of shape (n_samples, n_features_out)
            A copy of the rows without missing cells, and the columns of `add_indicator`. Columns
            that were entirely missing in `fit` are left out, or 0 with `keep_empty_features`.

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
            filled = self._draw(X, 0, rng)
        else:
            seen = self._seen(X)
            filled = clipped(seen, nameless(self.mixture_).impute(seen), self._bounds())
            filled = self._completed(filled)
        if self.indicator_ is None:
            return filled
        return np.hstack([filled, self.indicator_.transform(X).astype(filled.dtype)])

    def inverse_transform(self, X):
        """Return the rows as they are, less the columns of `add_indicator`.

        Filling in is not undone: a pipeline behind PCA, inverted, gives the restored rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            What `transform` returned.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Its columns of features; NaN, or what stands for it, where empty ones were left out.

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
        X = validation.as_rows(X, "X")
        n_columns = len(self.get_feature_names_out())
        if X.shape[1] != n_columns:
            raise ValueError(
                f"X has {X.shape[1]} columns, but transform returns {n_columns}; pass what "
                "transform returned."
            )
        if self.keep_empty_features or len(self.empty_features_) == 0:
            return X[:, : self.n_features_in_]
        kept = np.delete(np.arange(self.n_features_in_), self.empty_features_)
        rows = np.full((len(X), self.n_features_in_), self.missing_values, dtype=X.dtype)
        rows[:, kept] = X[:, : len(kept)]
        return rows

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns; None takes those seen in `fit`, or "x0", "x1" and so on.

        Returns
        -------
        names : ndarray of str
            The names of the columns, those of empty ones only with `keep_empty_features`, then
            those of the columns of `add_indicator`.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import ConditionalGMMInpainter
        >>> inpainter = ConditionalGMMInpainter(add_indicator=True)
        >>> inpainter.fit([[0.0, 1.0], [1.0, np.nan], [2.0, 0.0]]).get_feature_names_out()
        array(['x0', 'x1', 'missingindicator_x1'], dtype=object)
        """
        check_is_fitted(self)
        with naming("input_features", "a list of names"):
            names = _check_feature_names_in(self, input_features)
        filled = names if self.keep_empty_features else np.delete(names, self.empty_features_)
        if self.indicator_ is None:
            return filled
        return np.concatenate([filled, self.indicator_.get_feature_names_out(names)])
