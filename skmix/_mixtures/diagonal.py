"""Gaussian mixtures with diagonal covariances."""

from __future__ import annotations

from .._interface import validation
from .gaussian import GaussianMixture


class DiagonalGMM(GaussianMixture):
    r"""Gaussian mixture with diagonal covariances.

    The same as :class:`GaussianMixture` with ``covariance_type="diag"``: within a component the
    features are independent, :math:`p(x) = \sum_k \pi_k \prod_j N(x_j; \mu_{kj}, \sigma_{kj}^2)`.

    Parameters
    ----------
    n_components : int, default=1
        The number of mixture components.

    tol : float, default=1e-3
        EM stops when the mean log-likelihood per row changes by less than this (nats).

    reg_covar : float or 'auto', default='auto'
        What is added to every variance, so that a component that collapses keeps one:

        - 'auto': 1e-6 of the variance of each column, as in :class:`GaussianMixture`.
        - a number: the same for all columns, in squared units of `X`. With 0 nothing is added,
          and a component that collapses raises an error.

    max_iter : int, default=100
        The largest number of EM iterations.

    n_init : int, default=1
        The number of runs, each from its own start; the one of highest likelihood is kept.

    init_params : {'auto', 'kmeans', 'k-means++', 'random', 'random_from_data'}, default='auto'
        Where EM starts, as in :class:`GaussianMixture`.

    weights_init : array-like of shape (n_components,), default=None
        The starting weights; None derives them by `init_params`.

    means_init : array-like of shape (n_components, n_features), default=None
        The starting means; None derives them by `init_params`.

    precisions_init : array-like of shape (n_components, n_features), default=None
        The starting inverse variances; None derives them by `init_params`.

    random_state : int, RandomState instance or None, default=None
        Controls the start and the draws of `sample`. Pass an int for reproducible output.

    warm_start : bool, default=False
        Whether `fit` continues from the last fit, with a single run. It forgets the rows before:
        `partial_fit` is for batches that are to count together.

    verbose : int, default=0
        1 prints each initialization and every `verbose_interval`-th iteration, 2 adds times and
        changes of the likelihood.

    verbose_interval : int, default=10
        Number of iterations from one printed line to the next.

    shrinkage : float or 'auto', default=0.0
        Pseudo-observations per component with the pooled within-component variances, as in
        :class:`GaussianMixture`. 0 is maximum likelihood, and what 'auto' chooses here.

    assignment : {'soft', 'hard'}, default='soft'
        What the rows of `fit` count for:

        - 'soft': for all components, by their responsibilities (EM).
        - 'hard': each for its most probable component alone (classification EM, as in
          :class:`GaussianMixture`).

    prior : {'data', None}, default=None
        What is known of means and variances before the fit, as in :class:`GaussianMixture`:

        - None: nothing; the fit has the maximum likelihood.
        - 'data': the conjugate prior that the rows suggest. Not together with `shrinkage`.

    noise : bool, default=False
        Whether one more component is uniform over a box around the rows, for those that belong
        to no Gaussian, as in :class:`GaussianMixture`.

    fixed : dict, default=None
        What EM holds at its start: "weights", "means" and "precisions" with a list of components,
        or True for all, such as ``{"means": [0], "weights": True}``. The values are those of
        `weights_init`, `means_init` and `precisions_init`; the criteria do not count them. Not
        together with `prior`, `shrinkage`, `noise`, `warm_start` or `partial_labels`, and
        precisions only where components share nothing.

    forgetting : float or None, default=None
        How `partial_fit` weighs the batches before: None, all alike; a number between 0 and 1 is
        its step, for rows that change: a batch counts for (1 - forgetting)^m after m others.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        The weights of the components; with `noise_weight_` they sum to 1.

    noise_weight_ : float
        The weight of the noise, 0 without.

    noise_box_ : ndarray of shape (n_features + 1, n_features) or None
        The box of the noise, in units of `X`: a corner, and the edges that begin there. None
        without noise.

    means_ : ndarray of shape (n_components, n_features)
        The means of the components, in units of `X`.

    covariances_ : ndarray of shape (n_components, n_features)
        The variances of the components, in squared units of `X`.

    precisions_ : ndarray of shape (n_components, n_features)
        The inverses of the variances.

    precisions_cholesky_ : ndarray of shape (n_components, n_features)
        Square roots of the precisions.

    reg_covar_ : ndarray of shape (n_features,)
        What was added to the variances of each column, in squared units of `X`.

    shrinkage_ : float
        The pseudo-observations: `shrinkage`, or what 'auto' chose.

    converged_ : bool
        Whether the best run reached `tol` within `max_iter` iterations, and its likelihood never
        fell beyond rounding.

    n_iter_ : int
        The number of iterations of the best run.

    lower_bound_ : float
        The mean log-likelihood per row (nats) of the best run at its last E-step; the mean
        classification log-likelihood if `assignment` is 'hard'.

    lower_bounds_ : list of float
        `lower_bound_` at each iteration of the best run.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    GaussianMixture : Other covariance types.
    sklearn.mixture.GaussianMixture : scikit-learn's counterpart.

    Notes
    -----
    One EM iteration costs about 8 n K d floating-point operations and reads `X` once.

    References
    ----------
    A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via the EM
    algorithm", Journal of the Royal Statistical Society B 39(1), 1977.
    :doi:`10.1111/j.2517-6161.1977.tb01600.x`

    G. Celeux, G. Govaert, "A classification EM algorithm for clustering and two stochastic
    versions", Computational Statistics & Data Analysis 14(3), 1992.
    :doi:`10.1016/0167-9473(92)90042-E`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import DiagonalGMM
    >>> X = np.array([[1, 2], [2, 4], [0, 0], [10, 2], [11, 4], [9, 0]])
    >>> gm = DiagonalGMM(2, random_state=0).fit(X)
    >>> gm.means_.round(3)
    array([[10.,  2.],
           [ 1.,  2.]])
    """

    covariance_type = "diag"

    _parameter_constraints: dict = {
        name: constraint
        for name, constraint in GaussianMixture._parameter_constraints.items()
        if name != "covariance_type"
    }

    def __init__(
        self,
        n_components=1,
        *,
        tol=1e-3,
        reg_covar="auto",
        max_iter=100,
        n_init=1,
        init_params="auto",
        weights_init=None,
        means_init=None,
        precisions_init=None,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
        shrinkage=0.0,
        assignment="soft",
        prior=None,
        noise=False,
        fixed=None,
        forgetting=None,
    ):
        self.n_components = n_components
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.shrinkage = shrinkage
        self.assignment = assignment
        self.prior = prior
        self.noise = noise
        self.fixed = fixed
        self.forgetting = forgetting

    @classmethod
    def from_parameters(cls, weights, means, covariances):
        """Make a fitted mixture of given parameters, which samples and scores.

        Parameters
        ----------
        weights : array-like of shape (n_components,)
            The weights of the components; they must sum to 1, within 1e-6, and are normalised.

        means : array-like of shape (n_components, n_features)
            The means of the components.

        covariances : array-like of shape (n_components, n_features)
            The variances of the components.

        Returns
        -------
        mixture : DiagonalGMM
            A fitted instance. It has seen no data: `lower_bound_` is NaN.

        Raises
        ------
        ValueError
            If shapes disagree, weights do not sum to 1, or a variance is not positive.

        Examples
        --------
        >>> from skmix import DiagonalGMM
        >>> gm = DiagonalGMM.from_parameters([0.5, 0.5], [[0.0], [4.0]], [[1.0], [1.0]])
        >>> gm.predict([[0.5], [3.0]])
        array([0, 1])
        """
        mixture = cls(validation.n_given_components(weights))
        mixture._set_parameters(weights, means, covariances)
        return mixture
