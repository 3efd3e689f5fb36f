"""Densities behind transformers, in the units of the rows that go in."""

from __future__ import annotations

from itertools import takewhile

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils._param_validation import HasMethods, InvalidParameterError, StrOptions
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import has_fit_parameter

from .._interface import validation
from .._interface.masked import refuse_masked
from .._rows.threads import one_blas_thread
from . import jacobians
from .fitted_density import FittedTransformedDensity


class TransformedDensity(FittedTransformedDensity):
    r"""A density of transformed rows, scored in the units of the rows.

    Fits a transformer f, and a density :math:`p_Z` to what it makes of the rows, and scores by
    the change of variables

    .. math:: \log p_X(x) = \log p_Z(f(x)) + \log |\det J_f(x)|.

    Log-likelihoods of different transformers are then comparable: scalers, logarithms, numbers
    of principal components and numbers of mixture components can be chosen together, by held-out
    log-likelihood. Those that a plain :class:`~sklearn.pipeline.Pipeline` reports are not,
    because each is in units of its own.

    Parameters
    ----------
    transformer : transformer, 'passthrough' or None, default=None
        The map f. The Jacobian is exact for StandardScaler, MinMaxScaler, MaxAbsScaler,
        RobustScaler, PowerTransformer, QuantileTransformer, PCA, FunctionTransformer of a
        one-to-one ufunc (log, log1p, log2, log10, sqrt, cbrt, exp, exp2, expm1, reciprocal,
        sinh, arcsinh, tanh, arctanh, ... and logit, expit, ndtr, ndtri of `scipy.special`), and
        Pipelines of these. Any other transformer has to have a method
        ``log_abs_det_jacobian(X)`` that returns :math:`\log |\det J_f|` for every row (nats,
        -inf where the map is not one-to-one), and for `sample` an `inverse_transform`.
        'passthrough' and None leave rows as they are.

    density : estimator, default=None
        The density of the transformed rows: any estimator with `fit` and `score_samples` in
        nats, such as a mixture of skmix or scikit-learn, or
        :class:`~sklearn.neighbors.KernelDensity`. None is ``GaussianMixture()``.

    random_state : int, RandomState instance or None, default=None
        Controls what `sample` draws besides the draws of the density, which has a random state
        of its own: the noise of left-out directions, the choice among draws, and the draws of a
        density whose `sample` takes a `random_state`. Pass an int for reproducible output.

    Attributes
    ----------
    transformer_ : transformer, 'passthrough' or None
        The fitted transformer.

    density_ : estimator
        The density, fitted to the transformed rows.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    GaussianMixture : The default density.
    sklearn.pipeline.Pipeline : Scores in the units of the transformed rows.
    sklearn.compose.TransformedTargetRegressor : Transforms targets of a regression.

    Notes
    -----
    **Fewer dimensions.** A PCA that keeps k of d directions is completed by independent normal
    noise in the other d - k, all of the variance `noise_variance_` that it left out on average,
    as in probabilistic PCA; with one full Gaussian for the density this is probabilistic PCA.
    `sample` draws this noise too.

    **Images.** Where f does not map onto the whole space, p_X integrates to the mass that the
    density puts on the image of f: less than 1 for exp, sqrt, tanh, Box-Cox and Yeo-Johnson
    (with powers outside of [0, 2]) and quantiles. `sample` draws from the part with an image.
    Rows outside of the domain, such as negative ones for log or those beyond the training data
    for a QuantileTransformer, have density 0: `score_samples` gives -inf. Values that repeat in
    the training data make a QuantileTransformer jump; what the density puts in such a gap belongs
    to no row.

    **Missing values** are taken where the density takes them and every transformer maps each
    feature by itself: p_X is then the density of the observed cells.

    **Weights.** `sample_weight` is passed to the density, and to the transformer where its `fit`
    takes it. With metadata routing enabled, both get what they request.

    Scoring costs a transform, the density's scoring, and about as much as the transform again.

    References
    ----------
    M. E. Tipping, C. M. Bishop, "Probabilistic principal component analysis", Journal of the
    Royal Statistical Society B 61(3), 1999. :doi:`10.1111/1467-9868.00196`

    G. E. P. Box, D. R. Cox, "An analysis of transformations", Journal of the Royal Statistical
    Society B 26(2), 1964. :doi:`10.1111/j.2517-6161.1964.tb00553.x`

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import lognorm
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skmix import GaussianMixture, TransformedDensity
    >>> X = np.exp([[-1.0], [1.0]])
    >>> model = TransformedDensity(FunctionTransformer(np.log), GaussianMixture(reg_covar=0))
    >>> model.fit(X).score_samples([[2.0], [-2.0]]).round(6)
    array([-1.852312,      -inf])
    >>> lognorm(s=1.0).logpdf(2.0).round(6)
    np.float64(-1.852312)
    """

    _parameter_constraints: dict = {
        "transformer": [HasMethods(["fit", "transform"]), StrOptions({"passthrough"}), None],
        "density": [HasMethods(["fit", "score_samples"]), None],
        "random_state": ["random_state"],
    }

    # With metadata routing, weights are for the parts that request them.
    __metadata_request__fit = {"sample_weight": UNUSED}

    def __init__(self, transformer=None, density=None, *, random_state=None):
        self.transformer = transformer
        self.density = density
        self.random_state = random_state

    # Fitting ----------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None, **params):
        """Fit the transformer, then the density to the transformed rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        y : array-like of shape (n_samples,), default=None
            Passed to the transformer and to the density.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the density, and for the transformer where its `fit` takes
            them.

        **params : dict
            Other parameters for `fit`: routed as requested with metadata routing enabled, all
            for the density without.

        Returns
        -------
        self : object
            The fitted density.

        Raises
        ------
        ValueError
            If the Jacobian of the transformer is not known, it cannot be inverted (constant
            columns under a QuantileTransformer, PCA that leaves out no variance), or rows lie
            outside of its domain; and where the parts raise it. An earlier fit is kept.
        TypeError
            If `sample_weight` is given and the density does not take it.

        Examples
        --------
        >>> from sklearn.preprocessing import StandardScaler
        >>> from skmix import TransformedDensity
        >>> TransformedDensity(StandardScaler()).fit([[0.0], [2.0], [4.0]]).density_.means_
        array([[0.]])
        """
        with validation.earlier_fit_kept(self), one_blas_thread():
            refuse_masked(sample_weight, "sample_weight")
            X = self._validate(X, ensure_min_samples=2)
            validation.check_sample_weight(sample_weight, X)
            steps = jacobians.steps_of(self.transformer)
            jacobians.check_supported(steps, type(self).__name__)
            if isinstance(self.density, Pipeline):
                raise InvalidParameterError(
                    "The 'density' parameter of TransformedDensity is a Pipeline, which scores in "
                    "the units of its last step. Make its other steps the transformer."
                )
            # What needs no fit can be checked before others meet its output.
            unfitted = list(takewhile(lambda step: isinstance(step, FunctionTransformer), steps))
            self._check_domain(unfitted, X)
            density = clone(self._get_density())
            routed = self._route(density, sample_weight, params)
            self.transformer_ = self._fit_transformer(X, y, routed.transformer.fit)
            steps = jacobians.steps_of(self.transformer_)
            jacobians.check_invertible(steps)
            Z = self._check_domain(steps, X)
            self.density_ = density.fit(Z, y, **routed.density.fit)
        return self

    def _fit_transformer(self, X, y, params):
        if not jacobians.steps_of(self.transformer):
            return self.transformer
        transformer = clone(self.transformer)
        jacobians.output_arrays(transformer)
        with np.errstate(all="ignore"):  # images of what overflowed are refused afterwards
            return transformer.fit(X, y, **params)

    def _route(self, density, sample_weight, params):
        """Return what the fits of the two parts get."""
        if _routing_enabled():
            if sample_weight is not None:
                params = {**params, "sample_weight": sample_weight}
            routed = process_routing(self, "fit", **params)
            nothing = Bunch(fit={})
            return Bunch(transformer=routed.get("transformer", nothing), density=routed.density)
        for_transformer = {}
        if sample_weight is not None:
            if not has_fit_parameter(density, "sample_weight"):
                raise TypeError(
                    f"sample_weight was given, but the density {density!r} takes none in fit. "
                    "Use a density that does, such as those of skmix."
                )
            params = {**params, "sample_weight": sample_weight}
            if has_fit_parameter(self.transformer, "sample_weight"):
                for_transformer = {"sample_weight": sample_weight}
        return Bunch(transformer=Bunch(fit=for_transformer), density=Bunch(fit=params))

    def get_metadata_routing(self):
        """Return how metadata goes to the transformer and the density.

        Returns
        -------
        routing : MetadataRouter
            What `fit` of the parts requests is passed on to them.

        Examples
        --------
        >>> from skmix import TransformedDensity
        >>> type(TransformedDensity().get_metadata_routing()).__name__
        'MetadataRouter'
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=type(self).__name__)
        router.add(density=self._get_density(), method_mapping=mapping)
        if jacobians.steps_of(self.transformer):
            router.add(transformer=self.transformer, method_mapping=mapping)
        return router
