"""A Bayes classifier over Gaussian mixtures."""

from __future__ import annotations

import warnings
from numbers import Integral
from operator import itemgetter

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from .._interface import survey, validation
from .._interface.validation import NON_NEGATIVE
from .._mixtures import regularisation, shrinking, streaming
from .._mixtures.chunkwise import lazily_by_chunks
from .._mixtures.covariance_types import FAMILIES, choices
from .._mixtures.gaussian import GaussianMixture
from .._mixtures.known import Known
from .._mixtures.labelled import Classes, LabelledMixture
from .._selection.by_bic import doubts
from .._starts.methods import INIT_PARAMS
from ..exceptions import DegenerateComponentWarning, user_level
from .streaming import ClassesOfStream
from .unlabeled import refuse_sharing

# Components of a class, at most, where BIC chooses: as many as mclust's classifier tries.
MOST_COMPONENTS = 5


class GMMBayesClassifier(ClassesOfStream):
    r"""Bayes classifier with one Gaussian mixture per class.

    The density of class c is a mixture :math:`p(x | c)`; rows are classified by
    :math:`p(c | x) \propto \pi_c\, p(x | c)` with class priors :math:`\pi_c`. With one full
    component per class this is quadratic discriminant analysis, with one diagonal component
    Gaussian naive Bayes; where classes share one full covariance it is linear discriminant
    analysis.

    Parameters
    ----------
    n_components : int, dict or 'bic', default=1
        The number of components of every class, or a dict from class label to number. A class
        with fewer distinct rows than that gets as many components as it has distinct rows. 'bic'
        chooses for every class the one of lowest BIC, of 1 to 5 (see Notes).

    covariance_type : {'full', 'tied', 'diag', 'spherical', 'bic'} or three letters, default='diag'
        What the components' covariances look like, as in :class:`GaussianMixture`. 'bic' chooses
        the one of lowest BIC of the fourteen of three letters, for every class or for all
        classes that `share` it.

    share : {'components', 'classes'}, default='components'
        Which components share what `covariance_type` says is shared:

        - 'components': those of one class. Classes have nothing in common.
        - 'classes': those of all classes, also with one component each (eigenvalue decomposition
          discriminant analysis). 'tied' is then linear discriminant analysis, 'full' quadratic
          (see Notes).

    priors : array-like of shape (n_classes,), default=None
        Prior probabilities of the classes, in the order of `classes_`. None takes the
        (weighted) frequencies in the training data.

    shrinkage : float or 'auto', default=0.0
        Pseudo-observations per component with the covariance pooled over the components of its
        class, or of all classes that `share`, as in :class:`GaussianMixture`; 'auto' chooses
        them by the rows of these.

    prior : {'data', None}, default=None
        What is known of means and covariances before the fit, as in :class:`GaussianMixture`:
        'data' is the conjugate prior that the rows of the class, or of all classes that `share`,
        suggest. No component can collapse onto a few rows. Not together with `shrinkage`.

    tol : float, default=1e-3
        EM stops when the mean log-likelihood per row of a class changes by less than this
        (nats); with ``share="classes"`` that of all rows with their classes.

    reg_covar : float or 'auto', default='auto'
        What is added to every variance: a number, in squared units of `X`, or 'auto', 1e-6 of
        the variance of each column over all classes, as in :class:`GaussianMixture`.

    max_iter : int, default=100
        The largest number of EM iterations per class.

    n_init : int, default=1
        The number of runs per class; the one of highest likelihood is kept.

    init_params : {'auto', 'kmeans', 'k-means++', 'random', 'random_from_data'}, default='auto'
        Where EM starts, as in :class:`GaussianMixture`.

    random_state : int, RandomState instance or None, default=None
        Controls the starts and the draws of `sample`. Pass an int for reproducible output.

    verbose : int, default=0
        Printed lines of every mixture, as in :class:`GaussianMixture`.

    verbose_interval : int, default=10
        Number of iterations from one printed line to the next.

    n_jobs : int, default=None
        Number of processes that fit classes side by side, through joblib. None means 1 unless
        in a `joblib.parallel_config`. One process already uses all the threads of BLAS.

    unlabeled : object, default=None
        The label in `y` of rows whose class is not known, such as -1. These rows are shared among
        the classes by EM, in one mixture of all classes in which labelled rows come from
        components of their own class (see Notes). None stands for none: -1 is then a class like
        others.

    forgetting : float or None, default=None
        How `partial_fit` weighs the batches before: None, all alike; a number between 0 and 1,
        less and less (see :class:`GaussianMixture`).

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.

    class_prior_ : ndarray of shape (n_classes,)
        Prior probabilities of the classes.

    mixtures_ : list of GaussianMixture
        The fitted mixture of each class, in the order of `classes_`.

    n_iter_ : ndarray of shape (n_classes,)
        The number of EM iterations of each class; the same for all with ``share="classes"``.

    reg_covar_ : ndarray of shape (n_features,)
        What was added to the variances of each column, in squared units of `X`.

    shrinkage_ : ndarray of shape (n_classes,)
        The pseudo-observations of every class: `shrinkage`, or what 'auto' chose.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    GaussianMixture : The mixture of one class.
    select_mixture : The choice by BIC, with a table of all candidates.
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : One covariance for all classes.
    sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis : One full component per class.
    sklearn.naive_bayes.GaussianNB : One diagonal component per class.

    Notes
    -----
    A fit costs as much as one mixture per class on the rows of that class; a prediction costs
    as much as scoring all rows under every mixture. With ``share="classes"`` all classes are
    fitted together, once more where some have several components; one component each of complete
    rows is a single M-step for most structures. 'bic' fits every candidate, up to 5 x 14 of them
    per class, and most of them a second time from their neighbour with fewer components, as
    :func:`select_mixture` does. Those that owe their likelihood to a component on few rows or to
    `reg_covar`, and those with more parameters than rows, come last. `mixtures_` tell what was
    chosen, by `n_components` and `covariance_type`; it is chosen within `fit`, and so within
    every fold of a cross-validation.
    BIC judges densities: a search over `share`, `covariance_type` and `n_components` by
    :class:`~sklearn.model_selection.GridSearchCV` judges classifications.

    With ``share="classes"``, one component per class, ``priors=None`` and ``reg_covar=0``:

    - 'tied' is :class:`~sklearn.discriminant_analysis.LinearDiscriminantAnalysis` with
      ``solver="lsqr"``: one covariance, that within classes divided by the number of rows.
      Log-odds, and `decision_function` for two classes, are linear functions of the row.
    - 'full' is quadratic discriminant analysis with covariances divided by the number of rows
      of the class, 'diag' is :class:`~sklearn.naive_bayes.GaussianNB` with ``var_smoothing=0``.
    - Other structures lie between (Bensmail and Celeux, 1996).

    Several components per class with one covariance are mixture discriminant analysis (Hastie
    and Tibshirani, 1996).

    With `unlabeled` rows, all classes are fitted as one mixture whose likelihood is that of the
    labelled rows with their classes and of the others without (Miller and Uyar, 1996).
    `class_prior_` are then the weights of the classes in it, unless `priors` are given, and what
    components share (`shrinkage` included) they share between classes.

    References
    ----------
    H. Bensmail, G. Celeux, "Regularized Gaussian discriminant analysis through eigenvalue
    decomposition", Journal of the American Statistical Association 91(436), 1996.
    :doi:`10.1080/01621459.1996.10476746`

    C. Fraley, A. E. Raftery, "Model-based clustering, discriminant analysis, and density
    estimation", Journal of the American Statistical Association 97(458), 2002.
    :doi:`10.1198/016214502760047131`

    T. Hastie, R. Tibshirani, "Discriminant analysis by Gaussian mixtures", Journal of the Royal
    Statistical Society B 58(1), 1996. :doi:`10.1111/j.2517-6161.1996.tb02073.x`

    D. J. Miller, H. S. Uyar, "A mixture of experts classifier with learning based on both
    labelled and unlabelled data", Advances in Neural Information Processing Systems 9, 1996.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmix import GMMBayesClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = GMMBayesClassifier(covariance_type="full", random_state=0).fit(X, y)
    >>> round(classifier.score(X, y), 3)
    0.98
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), dict, StrOptions({"bic"})],
        "covariance_type": [StrOptions({*FAMILIES, "bic"})],
        "share": [StrOptions({"components", "classes"})],
        "priors": ["array-like", None],
        "shrinkage": shrinking.CONSTRAINT,
        "prior": GaussianMixture._parameter_constraints["prior"],
        "tol": [NON_NEGATIVE],
        "reg_covar": regularisation.CONSTRAINT,
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions(set(INIT_PARAMS))],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "unlabeled": "no_validation",
        "forgetting": streaming.CONSTRAINT,
    }

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="diag",
        share="components",
        priors=None,
        shrinkage=0.0,
        prior=None,
        tol=1e-3,
        reg_covar="auto",
        max_iter=100,
        n_init=1,
        init_params="auto",
        random_state=None,
        verbose=0,
        verbose_interval=10,
        n_jobs=None,
        unlabeled=None,
        forgetting=None,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.share = share
        self.priors = priors
        self.shrinkage = shrinkage
        self.prior = prior
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.n_jobs = n_jobs
        self.unlabeled = unlabeled
        self.forgetting = forgetting

    _own_parameters = ("priors", "n_jobs", "unlabeled", "share")

    def _make_mixture(self, parameters):
        return GaussianMixture(**parameters)

    def _learn_chunks(self, chunks):
        return survey.as_floats

    def _read_batch(self, X, y, sample_weight, *, reset):
        rows, labels = validation.validate_rows(self, X, y, reset=reset)
        return rows, labels, validation.check_sample_weight(sample_weight, rows)

    def _refuse_stream(self):
        super()._refuse_stream()
        for name, value in (("share", "classes"), ("n_components", "bic")):
            if getattr(self, name) == value:
                raise self._no_stream(name)
        if self.covariance_type == "bic":
            raise self._no_stream("covariance_type")

    def _check_n_components(self, labels):
        if self.n_components != "bic":
            return super()._check_n_components(labels)
        if self.share == "classes":
            raise ValueError(
                "n_components='bic' chooses for every class by its own rows, and is not available "
                "with share='classes', where one fit has the components of all classes. Give "
                "numbers, which GridSearchCV can choose, or use share='components'."
            )
        return [MOST_COMPONENTS] * len(labels)

    def _affordable(self, n_components, n_distinct, label):
        if self.n_components != "bic":
            return super()._affordable(n_components, n_distinct, label)
        return min(n_components, n_distinct)

    def _candidates(self, mixture):
        most = mixture.n_components
        sizes = range(1, most + 1) if self.n_components == "bic" else [most]
        return [
            {"covariance_type": structure, "n_components": size}
            for structure in choices(self.covariance_type)
            for size in sizes
        ]

    def _known_of_rows(self, rows, sizes):
        structures = choices(self.covariance_type)
        if len(structures) > 1 and self.shrinkage not in ("auto", 0):
            raise ValueError(
                f"shrinkage={self.shrinkage} is not available with covariance_type='bic', which "
                "tries structures that share covariances already. Use shrinkage=0, 'auto' or "
                "prior='data' with it, or give a covariance_type."
            )
        reg_covar, frame = regularisation.resolve_for_classes(
            self.reg_covar, structures[-1], rows.source(self), sum(sizes)
        )
        regularisation.warn_if_large(self, frame)
        return Known(reg_covar=reg_covar)

    def _n_fits(self, sizes):
        if self.share == "components":
            return len(sizes)
        n_fits = 1 if max(sizes) == 1 else len(sizes) + 1
        return n_fits * len(choices(self.covariance_type))

    def _check_sharing(self):
        if self.n_components == "bic" or len(choices(self.covariance_type)) > 1:
            raise ValueError(
                "'bic', for n_components or covariance_type, is not available with rows of no "
                "class. Choose by the BIC of GaussianMixture fitted with partial_labels, or name "
                "what is wanted."
            )
        if self.share == "components":
            refuse_sharing(self.covariance_type, "share='classes' or ")

    def _fit_mixtures(self, *args):
        fit = self._fit_sharing if self.share == "classes" else super()._fit_mixtures
        return fit(*args)

    def _keep(self, mixtures):
        self.reg_covar_ = max((m.reg_covar_ for m in mixtures), key=np.ptp)
        self.shrinkage_ = np.array([mixture.shrinkage_ for mixture in mixtures])

    def _fit_sharing(self, rows, mixtures, known, task):
        """Fit all classes together, with the structure that is given or has the lowest BIC."""
        found, first_error = [], None
        for structure in choices(self.covariance_type):
            own = [clone(mixture).set_params(covariance_type=structure) for mixture in mixtures]
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    fitted, loss = self._fit_structure(rows, own, known, task)
                except ValueError as error:
                    first_error = first_error or error
                    continue
            found.append((loss, fitted, caught))
        if not found:
            raise first_error
        _, fitted, caught = min(found, key=itemgetter(0))
        for warning in caught:
            warnings.warn(warning.message, warning.category, stacklevel=user_level())
        return fitted

    def _fit_structure(self, rows, mixtures, known, task):
        """Fit all classes together, from fits of each where some have several components.

        Return the mixtures of all classes, and what the choice of a structure minimises.
        """
        sizes = [mixture.n_components for mixture in mixtures]
        several = max(sizes) > 1
        if several:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                warnings.simplefilter("ignore", DegenerateComponentWarning)
                mixtures = super()._fit_mixtures(rows, mixtures, known, task)
        label_of = np.repeat(np.arange(len(sizes)), sizes)
        parameters = mixtures[0].get_params(deep=False)
        together = LabelledMixture(**{**parameters, "n_components": len(label_of), "n_init": 1})
        with task.subtask("classes").fitting(together), together._knowing(known):
            X, weight, codes = rows.together()
            apart = mixtures if several else None
            together.fit_classes(X, weight, codes, Classes(rows.names, label_of, apart))
        fitted = [together.in_class(code, mixture) for code, mixture in enumerate(mixtures)]
        return fitted, (*doubts(together, together._weight_of_fit[0]), together.bic_with_classes)

    @lazily_by_chunks(
        lambda self: () if len(self.classes_) == 2 else (len(self.classes_),), np.float64
    )
    def decision_function(self, X):
        """Return the log-odds (two classes) or log prior + log density of every class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), Chunks or Dask collection
            The rows, NaN where a cell is missing.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the log-odds of the second against the first (nats), otherwise the
            logarithm of prior times density of every class.

        Examples
        --------
        >>> from skmix import GMMBayesClassifier
        >>> classifier = GMMBayesClassifier().fit([[0], [1], [5], [6]], [0, 0, 1, 1])
        >>> classifier.decision_function([[2], [4]]) > 0
        array([False,  True])
        """
        joint = self._joint_log_likelihood(X)
        return joint[:, 1] - joint[:, 0] if len(self.classes_) == 2 else joint
