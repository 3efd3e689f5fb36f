"""Gaussian mixtures with scikit-learn's interface."""

from __future__ import annotations

from numbers import Integral

from sklearn.utils._param_validation import Interval, StrOptions

from .._interface.validation import NON_NEGATIVE
from .._starts import methods
from . import regularisation, shrinking, streaming
from .conditioning import ConditioningMixin
from .covariance_types import FAMILIES
from .criteria import ClassificationCriteria
from .gaussian_information import GaussianInformation
from .modes import GaussianModes
from .noise import NoiseFit
from .partial import PartialLabels
from .report import GaussianReport
from .streams import StreamOfNumbers


class GaussianMixture(
    StreamOfNumbers,
    PartialLabels,
    NoiseFit,
    ConditioningMixin,
    GaussianReport,
    GaussianModes,
    GaussianInformation,
    ClassificationCriteria,
):
    r"""Gaussian mixture, a faster drop-in for scikit-learn's.

    The density is :math:`p(x) = \sum_k \pi_k\, N(x; \mu_k, \Sigma_k)`. It is fitted by
    expectation-maximisation, in memory that does not grow with the number of rows. Cells may be
    missing (NaN), in `fit` and in every other method: what is fitted and scored is then the
    density of the observed cells.

    Parameters
    ----------
    n_components : int, default=1
        The number of mixture components.

    covariance_type : {'full', 'tied', 'diag', 'spherical'} or three letters, default='full'
        What the components' covariances look like:

        - 'full' or 'VVV': each component has its own covariance matrix.
        - 'tied' or 'EEE': all components share one covariance matrix.
        - 'diag' or 'VVI': each component has its own diagonal covariance matrix.
        - 'spherical' or 'VII': each component has its own single variance.
        - 'tied-diag' or 'EEI', 'tied-spherical' or 'EII': all components share them.
        - 'VEI', 'EVI', 'VEE', 'EVE', 'VVE', 'EEV', 'VEV', 'EVV': components share the volume,
          the shape or the axes of their covariances, as in R's mclust (see Notes).

    tol : float, default=1e-3
        EM stops when the mean log-likelihood per row changes by less than this (nats).

    reg_covar : float or 'auto', default='auto'
        What is added to every variance, so that a component that collapses keeps one:

        - 'auto': 1e-6 of the variance of each column, in whatever unit (see Notes).
        - a number: the same for all columns, in squared units of `X`. With 0 nothing is added,
          and a component that collapses raises an error.

    max_iter : int, default=100
        The largest number of EM iterations.

    n_init : int, default=1
        The number of runs, each from its own start; the one of highest likelihood is kept.

    init_params : {'auto', 'kmeans', 'k-means++', 'random', 'random_from_data'}, default='auto'
        Where EM starts:

        - 'auto': the best of several runs, that from scikit-learn's start among them, the same
          for a weight and a repetition. Components that die or collapse later are started once
          more (see Notes).
        - 'kmeans': clusters of k-means, scikit-learn's default. Where there are more than
          20 000 rows (256 per component with many components, fewer rows with many features),
          the best of three clusterings of a random subsample of that size.
        - 'k-means++': rows chosen by the seeding of k-means, likewise.
        - 'random': random responsibilities.
        - 'random_from_data': rows chosen at random.

    weights_init : array-like of shape (n_components,), default=None
        The starting weights; None derives them by `init_params`.

    means_init : array-like of shape (n_components, n_features), default=None
        The starting means; None derives them by `init_params`.

    precisions_init : array-like, default=None
        The starting inverse covariances; None derives them by `init_params`. The shape depends
        on `covariance_type`::

            (n_components,)                        if 'spherical' or 'EII',
            (n_features, n_features)               if 'tied',
            (n_components, n_features)             if 'diag', 'EEI', 'VEI' or 'EVI',
            (n_components, n_features, n_features) if 'full' or any other

        Precisions that are not of the structure are brought to it.

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
        Pseudo-observations :math:`\nu` per component with the pooled within-component
        covariance :math:`W = \sum_k \pi_k C_k`: the M-step sets
        :math:`\Sigma_k = (n_k C_k + \nu W) / (n_k + \nu)`. 0 is maximum likelihood. Must be 0
        or 'auto' but with 'full', 'diag' and 'spherical': others pool already. 'auto' chooses
        :math:`\nu` by the data, and shrinks correlations towards 0 as well (see Notes).

    assignment : {'soft', 'hard'}, default='soft'
        What the rows of `fit` count for:

        - 'soft': for all components, by their responsibilities (EM).
        - 'hard': each for its most probable component alone (classification EM, see Notes).

    prior : {'data', None}, default=None
        What is known of means and covariances before the fit:

        - None: nothing; the fit has the maximum likelihood.
        - 'data': the conjugate prior that the rows suggest (see Notes). No component can collapse
          onto a few rows. Not together with `shrinkage`.

    noise : bool, default=False
        Whether one more component is uniform over a box around the rows, for those of no Gaussian:
        `predict` gives them -1, the last column of `predict_proba` their probability (see Notes).

    fixed : dict, default=None
        What EM holds at `weights_init`, `means_init` and `precisions_init`: "weights", "means" and
        "precisions" of a list of components, or True for all. Criteria do not count it. Not with
        `prior`, `shrinkage`, `noise`, `warm_start` or `partial_labels`.

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

    covariances_ : ndarray
        The covariances of the components, in squared units of `X`; shaped as `precisions_init`.

    precisions_ : ndarray
        The inverses of the covariances.

    precisions_cholesky_ : ndarray
        Upper triangular factors of the precisions, `precisions = factor @ factor.T`; square
        roots where covariances are variances.

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
        The mean log-likelihood per row (nats) of the best run at its last E-step, weighted by
        `sample_weight`; the mean classification log-likelihood if `assignment` is 'hard'.

    lower_bounds_ : list of float
        `lower_bound_` at each iteration of the best run; with many components a lower bound of it
        at most of them (see Notes).

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    sklearn.mixture.GaussianMixture : The estimator that this one replaces.
    DiagonalGMM : The same with diagonal covariances only.
    GMMBayesClassifier : A classifier with one mixture per class.

    Notes
    -----
    One EM iteration costs about 8 n K d floating-point operations for 'diag', 4 n K d for
    'tied' and 'spherical' and 2 n K d² for 'full' (n rows, K components, d features) and reads
    `X` once. Rows are visited in chunks on as many threads as BLAS may use in this process:
    `threadpoolctl.threadpool_limits`, `OMP_NUM_THREADS` and joblib's workers limit them. The
    fit is the same to the bit for any number of threads.

    From 64 components and 2²³ pairs of rows and components on, most iterations visit for each row
    only the components that may matter to it (after Forster and Lücke, 2018): those that carried
    all but 1e-5 of the responsibilities of rows with the same most probable component,
    when last all were visited. They climb a lower bound of the likelihood. Iterations that visit
    all begin and end every run, so that `lower_bound_` and convergence are exact, and say in
    between what is left out: over 1e-3, and candidates become more. Fits to rows with missing
    cells and correlated features, with noise, of more than 4096 components, or of full covariances
    of more than 96 features visit all.

    The three letters say of the volume :math:`\lambda_k`, the shape :math:`A_k` and the axes
    :math:`D_k` of :math:`\Sigma_k = \lambda_k D_k A_k D_k'` (A_k diagonal, of determinant 1)
    whether they are equal (E), vary (V) or are those of the identity (I). Likelihoods of other
    types than the first four have more local optima, and twice as many starts compete. The
    covariances of 'VEI', 'VEE', 'VEV', 'EVE' and 'VVE' have no closed form: an iteration
    improves on those before it, and the likelihood never falls. 'EII', 'VII', 'EVE', 'VVE', 'EEV'
    and 'VEV' depend on the units of the columns, as distances do: standardise columns of
    different kinds.

    With missing cells, EM is exact for values missing at random: whether a cell is missing may
    depend on observed cells, but not on its own value. With 20 features of which a fifth is
    missing, an iteration was measured to take 1 to 2 times as long for 'diag' and 'spherical', 13
    times for 'full', and 50 times for 'tied', whose complete rows are much cheaper.

    With ``assignment="hard"`` every row counts for its most probable component alone, the first of
    equally probable ones. The fit then climbs the classification log-likelihood
    :math:`\sum_i w_i \max_k \log(\pi_k\, N(x_i; \mu_k, \Sigma_k))`, which only `reg_covar`
    and `shrinkage` can lower. Its mean is `lower_bound_`; `tol` and the choice among `n_init` runs
    refer to it, and a run also ends when nothing changes any more. Hard EM needs fewer iterations
    and depends more on the start; where components overlap it finds them too narrow and too far
    apart. A component that loses its last row has weight 0 from then on, as in EM, and one of few
    rows collapses sooner. All methods but `fit` (`predict_proba`, `score`, ...) are those of the
    mixture with the fitted parameters.

    The starts of 'auto' are clusters of distinct rows (of more than 20 000, a sample of 10
    000, or of 256 per component) by k-means in raw units, standardised columns, whitened rows,
    rows whitened by pairs of near ones, and one, two and three invariant coordinates (Tyler et
    al., 2009), and the densest spot. Short runs drop the worse; the best are carried on beside
    the run from scikit-learn's start. Runs are ranked by the likelihood at the resolution of
    the data: where the values of a column lie h apart, h²/12 is added to its variances. A
    component on at most n_features + 1 distinct rows, none of which has 1 / (2 n_components)
    of the weight, is a spike; runs with one rank behind all others. `max_iter` bounds these
    runs too. On small data this takes a few times as long as one run from k-means, on large
    data less than the run it saves. Missing cells are filled in for the search, first by a
    single Gaussian, then by the best mixture found. Where means are given, each component
    starts from the rows nearest to its mean.

    With ``reg_covar="auto"`` a fit does not depend on the unit of measurement. 1e-6 times the
    variance of the observed cells of each column is added; with 'spherical', of their mean over
    columns. Constant columns get the mean of the others, or 1e-6 if all are constant. It is
    never more than 1 % of the variance within components: of `n_components` intervals of a
    column, chosen to leave little of it, or of its rounding. A fit that continues by
    `warm_start` takes it anew from the rows. scikit-learn adds 1e-6 in any unit, which
    ``reg_covar=1e-6`` does here too; a number above 10 % of the variance of a column warns.

    With ``shrinkage="auto"`` every covariance is, after pooling, multiplied by
    :math:`n / (n + \nu)` but for its diagonal (n rows in all): 'full' with any number of
    components, and 'tied', can then be fitted to fewer rows than features. :math:`\nu` is the
    likeliest for all rows as one Gaussian, whose covariance has an inverse Wishart prior with
    their variances as mean (Hannart and Naveau, 2014), n_features - 1 at most; missing cells are
    filled in for that. It depends on no unit, vanishes beside n as rows come in, and is 0 with
    other types.

    With ``prior="data"`` the fit has the largest posterior density (Fraley and Raftery, 2007):
    means are normal about that of all rows, with .01 pseudo-rows; covariances are inverse Wishart
    with n_features + 2 degrees of freedom about the covariance of all rows divided by
    K^(2 / n_features), variances inverse gamma likewise: those of each column with 'diag', their
    mean with 'spherical'. Every distinct covariance has such a prior. `lower_bound_` and all
    criteria are those of the likelihood, without the prior's density.

    With ``noise=True`` the density is :math:`\pi_0 / V + \sum_k \pi_k N(x; \mu_k, \Sigma_k)`
    (Banfield and Raftery, 1993). V is the volume of the smaller of two boxes around the rows of
    the fit: along the columns, and along the principal axes of the standardised columns. Where
    cells are missing it is the box along the columns, of the observed cells. New rows beyond the
    box have the same noise density, so that a row far from everything is noise. Parameters are
    counted as in mclust: the weight and the volume of the noise are two more. Starts take
    distances to near neighbours for those of two Poisson processes (Byers and Raftery, 1998) and
    begin with the rows of the denser one; guesses from several numbers of neighbours compete.
    `marginal` and `condition` take the noise to be uniform over the box of the columns that are
    left; rows that are noise climb to no mode.

    A component whose rows coincide, or lie in a plane, has no maximum-likelihood covariance;
    `reg_covar` then stands in for its variance, and a
    :class:`~skmix.exceptions.DegenerateComponentWarning` names the component. `float32` rows
    give `float32` attributes; sums are accumulated in `float64`, and narrow components are
    computed in `float64` throughout.

    References
    ----------
    J. D. Banfield, A. E. Raftery, "Model-based Gaussian and non-Gaussian clustering", Biometrics
    49(3), 1993. :doi:`10.2307/2532201`

    S. Byers, A. E. Raftery, "Nearest-neighbor clutter removal for estimating features in spatial
    point processes", Journal of the American Statistical Association 93(442), 1998.
    :doi:`10.1080/01621459.1998.10473711`

    G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28(5),
    1995. :doi:`10.1016/0031-3203(94)00125-6`

    A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via the EM
    algorithm", Journal of the Royal Statistical Society B 39(1), 1977.
    :doi:`10.1111/j.2517-6161.1977.tb01600.x`

    G. Celeux, G. Govaert, "A classification EM algorithm for clustering and two stochastic
    versions", Computational Statistics & Data Analysis 14(3), 1992.
    :doi:`10.1016/0167-9473(92)90042-E`

    D. Forster, J. Lücke, "Can clustering scale sublinearly with its clusters? A variational EM
    acceleration of GMMs and k-means", AISTATS 2018, PMLR 84.

    C. Fraley, A. E. Raftery, "Bayesian regularization for normal mixture estimation and
    model-based clustering", Journal of Classification 24(2), 2007.
    :doi:`10.1007/s00357-007-0004-5`

    Z. Ghahramani, M. I. Jordan, "Supervised learning from incomplete data via an EM approach",
    Advances in Neural Information Processing Systems 6, 1994.

    A. Hannart, P. Naveau, "Estimating high dimensional covariance matrices: a new look at the
    Gaussian conjugate framework", Journal of Multivariate Analysis 131, 2014.
    :doi:`10.1016/j.jmva.2014.06.001`

    G. McLachlan, D. Peel, "Finite Mixture Models", Wiley, 2000. :doi:`10.1002/0471721182`

    D. E. Tyler, F. Critchley, L. Dümbgen, H. Oja, "Invariant co-ordinate selection", Journal of
    the Royal Statistical Society B 71(3), 2009. :doi:`10.1111/j.1467-9868.2009.00706.x`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import GaussianMixture
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 1]])
    >>> gm = GaussianMixture(2, covariance_type="spherical", random_state=0).fit(X)
    >>> gm.means_.round(2)
    array([[10.  ,  2.33],
           [ 1.  ,  2.  ]])
    >>> gm.predict([[0, 0], [12, 3]])
    array([1, 0])
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions(set(FAMILIES))],
        "tol": [NON_NEGATIVE],
        "reg_covar": regularisation.CONSTRAINT,
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions(set(methods.INIT_PARAMS))],
        "weights_init": ["array-like", None],
        "means_init": ["array-like", None],
        "precisions_init": ["array-like", None],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
        "shrinkage": shrinking.CONSTRAINT,
        "assignment": [StrOptions({"soft", "hard"})],
        "prior": [StrOptions({"data"}), None],
        "noise": ["boolean"],
        "fixed": [dict, None],
        "forgetting": streaming.CONSTRAINT,
    }

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="full",
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
        self.covariance_type = covariance_type
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
