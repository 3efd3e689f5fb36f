"""Missing cells of tables with several kinds of columns, filled in by a mixture."""

from __future__ import annotations

from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._interface import chunked_columns, columns, frames, validation
from .._interface.chunks import Chunks, View, as_chunks, template_of
from .._interface.versions import VersionedMixin
from .._interface.wording import check_random_state, naming
from .._mixtures.chunkwise import lazily_by_chunks
from .._mixtures.known import Known
from .._mixtures.mixed import MixedMixture
from .bounds import check_bounds, clipped, drawn_within
from .by_chunks import shape_of_filled
from .seen import nameless

# What fills columns of which nothing was seen, of numbers and of others.
NOTHING, NO_CATEGORY = 0.0, "missing_value"


class MixtureImputer(TransformerMixin, VersionedMixin, BaseEstimator):
    r"""Fill missing numbers, counts and categories by a mixture.

    A :class:`MixedMixture` is fitted to rows that may be incomplete, by EM on the likelihood of
    what was observed. Missing numbers and counts are filled with their posterior means given the
    observed cells of their row, missing categories with the most probable one; or all are drawn.

    Parameters
    ----------
    mixture : MixedMixture, default=None
        An unfitted mixture, which says how many components there are and what the columns are.
        None takes ``MixedMixture()``, a single component. It is cloned.

    sample_posterior : bool, default=False
        Whether `transform` draws missing cells given the observed ones, those of a row together,
        instead of filling in expectations.

    round_integers : bool, default=False
        Whether fillings of counts, and of columns of integers of a DataFrame, are rounded.

    min_value : float or array-like of shape (n_features,), default=None
        The smallest number or count that is filled in, for all columns or for each; entries of
        categorical columns are not looked at. Expectations are clipped; draws beyond the bounds
        are drawn again. None sets no bound.

    max_value : float or array-like of shape (n_features,), default=None
        The largest, likewise.

    keep_empty_features : bool, default=False
        Whether columns that were entirely missing in `fit` are kept, filled with 0 or, where
        their dtype is not one of numbers, with "missing_value". Otherwise they are left out.

    random_state : int, RandomState instance or None, default=None
        Controls the draws of `sample_posterior` and `multiple_imputations`. Pass an int for
        reproducible output. The start of the fit is controlled by the mixture's own.

    Attributes
    ----------
    mixture_ : MixedMixture
        The fitted mixture of the columns that are not empty.

    empty_features_ : ndarray of int
        The positions of columns that were entirely missing in `fit`.

    n_iter_ : int
        The number of EM iterations.

    n_features_in_ : int
        Number of columns seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of columns seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    MixedMixture : The mixture inside.
    ConditionalGMMInpainter : The same for numbers alone, with indicators and standard deviations.
    sklearn.impute.IterativeImputer : Regressions of every column on the others, in turn.

    Notes
    -----
    Cells should be missing at random: whether one is missing may depend on observed cells, but
    not on its own value. A transformation costs what a prediction costs, and for numbers a
    conditional mean per component.

    Draws are given the parameters of the fit: their spread does not contain the uncertainty of
    these.

    References
    ----------
    D. B. Rubin, "Multiple Imputation for Nonresponse in Surveys", Wiley, 1987.
    :doi:`10.1002/9780470316696`

    L. Hunt, M. Jorgensen, "Mixture model clustering for mixed data with missing information",
    Computational Statistics & Data Analysis 41(3-4), 2003. :doi:`10.1016/S0167-9473(02)00190-1`

    Examples
    --------
    >>> from skmix import MixedMixture, MixtureImputer
    >>> X = [["a", 0.0], ["a", 1.0], ["b", 8.0], ["b", 9.0], [None, 0.5]]
    >>> imputer = MixtureImputer(MixedMixture(2, random_state=0)).fit(X)
    >>> imputer.transform([[None, 8.0], [None, 1.0]])
    array([['b', 8.0],
           ['a', 1.0]], dtype=object)
    """

    _parameter_constraints: dict = {
        "mixture": [HasMethods(["fit"]), None],
        "sample_posterior": ["boolean"],
        "round_integers": ["boolean"],
        "min_value": [Real, "array-like", None],
        "max_value": [Real, "array-like", None],
        "keep_empty_features": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        mixture=None,
        *,
        sample_posterior=False,
        round_integers=False,
        min_value=None,
        max_value=None,
        keep_empty_features=False,
        random_state=None,
    ):
        self.mixture = mixture
        self.sample_posterior = sample_posterior
        self.round_integers = round_integers
        self.min_value = min_value
        self.max_value = max_value
        self.keep_empty_features = keep_empty_features
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = MixedMixture() if self.mixture is None else self.mixture
        tags.input_tags = get_tags(inner).input_tags
        return tags

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None):
        """Fit the mixture to complete or incomplete rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features), Chunks or Dask collection
            The rows. Those that are entirely missing are left out. :class:`Chunks` and Dask
            collections are read again in every pass, or held by workers, as by
            :class:`MixedMixture`.

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
        TypeError
            If `mixture` is no :class:`MixedMixture`.
        ValueError
            If all columns are entirely missing, bounds do not fit the columns, or the mixture
            cannot be fitted. An earlier fit is kept.

        Examples
        --------
        >>> from skmix import MixtureImputer
        >>> imputer = MixtureImputer().fit([["a", 0.0], ["b", None], ["b", 2.0]])
        >>> imputer.mixture_.means_
        array([[1.]])
        """
        mixture = MixedMixture() if self.mixture is None else self.mixture
        if not isinstance(mixture, MixedMixture):
            raise TypeError(
                f"mixture={mixture!r} must be a MixedMixture, which takes numbers alone and "
                "categories alone as well."
            )
        with validation.earlier_fit_kept(self):
            chunks = as_chunks(X, sample_weight)
            if chunks is None:
                table = columns.read_table(self, X, reset=True)
                n_rows = np.empty((table.n_samples, 0))
                sample_weight = validation.check_sample_weight(sample_weight, n_rows)
                empty = np.array([columns.is_empty(c, sample_weight) for c in table.columns])
            else:
                chunks._hold()
                sample_weight = None
                table, empty = chunked_columns.columns_of(self, chunks)
            kinds = columns.resolve_kinds(table, mixture.families, mixture.categorical_features)
            if empty.all():
                raise ValueError(
                    "Every column of X is entirely missing: nothing can be learned about them. "
                    "Pass rows of positive weight that have cells."
                )
            check_bounds(self, len(kinds), free=kinds == "categorical")
            self.empty_features_ = np.flatnonzero(empty)
            mixture = _of_columns(mixture, table, kinds, ~empty)
            seen = self._seen(X) if chunks is None else self._seen_chunks(chunks)
            template = self._seen(template_of(X))
            with mixture._knowing(Known(template=template)):
                self.mixture_ = mixture.fit(seen, sample_weight=sample_weight)
            self.n_iter_ = mixture.n_iter_
        return self

    @lazily_by_chunks(shape_of_filled, "given")
    def transform(self, X):
        """Return the rows with missing cells filled in.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features), Chunks or Dask collection
            The rows. :class:`Chunks` and Dask collections are transformed when that is asked for;
            not with `sample_posterior`, nor where `set_output` asks for frames.

        Returns
        -------
        X_filled : ndarray or DataFrame of shape (n_samples, n_features_out)
            A copy of the rows without missing cells; a DataFrame if `set_output` asks for one.
            Columns of a DataFrame keep their dtype where it can hold what is filled in.

        Examples
        --------
        >>> from skmix import MixtureImputer
        >>> imputer = MixtureImputer(min_value=0.0).fit([[1.0, 9.0], [2.0, 4.0], [3.0, 1.0]])
        >>> imputer.transform([[1.5, None], [9.0, None]]).round(2)
        array([[1.5 , 6.67],
               [9.  , 0.  ]])
        """
        if self.sample_posterior:
            return self._as_set(self.multiple_imputations(X, 1)[0])
        rows, seen = self._read(X)
        filled = clipped(rows, self.mixture_._filled(rows), self._bounds_of_seen())
        return self._as_set(self._finished(X, seen, rows, filled))

    def multiple_imputations(self, X, n_imputations=5, random_state=None):
        """Draw the missing cells several times: multiple imputations.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows.

        n_imputations : int, default=5
            The number of draws.

        random_state : int, RandomState instance or None, default=None
            Controls the draws; None takes the imputer's own.

        Returns
        -------
        imputations : list of ndarray or DataFrame of shape (n_samples, n_features_out)
            Copies of the rows without missing cells.

        Raises
        ------
        ValueError
            If `n_imputations` is less than 1.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import MixtureImputer
        >>> imputer = MixtureImputer().fit([[0.0, 0.0], [1.0, 3.0], [2.0, 0.0]])
        >>> draws = imputer.multiple_imputations([[1.0, None]], 1000, random_state=0)
        >>> len(draws), round(float(np.std([draw[0, 1] for draw in draws])), 1)
        (1000, 1.4)
        """
        rows, seen = self._read(X)
        n_imputations = validation.check_n_samples(n_imputations, "n_imputations")
        rng = check_random_state(self.random_state if random_state is None else random_state)

        def draw(some: np.ndarray, n_draws: int) -> np.ndarray:
            return self.mixture_._drawn(some, n_draws, rng)

        draws = drawn_within(rows, draw, self._bounds_of_seen(), n_imputations)
        return [self._finished(X, seen, rows, own) for own in draws]

    def score(self, X, y=None):
        """Return the mean log density of the observed cells, by which a search can choose.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        log_likelihood : float
            Mean log-likelihood of the observed cells per row (nats).

        Examples
        --------
        >>> from skmix import MixtureImputer
        >>> round(MixtureImputer().fit([[-1.0], [1.0]]).score([[-1.0], [1.0]]), 4)
        -1.4189
        """
        return self.mixture_.score(self._read(X)[1])

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns; None takes those seen in `fit`, or "x0", "x1" and so on.

        Returns
        -------
        names : ndarray of str
            The names, those of empty columns only with `keep_empty_features`.

        Examples
        --------
        >>> from skmix import MixtureImputer
        >>> imputer = MixtureImputer().fit([[0.0, None, 1.0], [1.0, None, 2.0]])
        >>> imputer.get_feature_names_out()
        array(['x0', 'x2'], dtype=object)
        """
        check_is_fitted(self)
        with naming("input_features", "a list of names"):
            names = _check_feature_names_in(self, input_features)
        return names if self.keep_empty_features else np.delete(names, self.empty_features_)

    # How --------------------------------------------------------------------------------------

    def _read(self, X: Any) -> tuple[np.ndarray, Any]:
        """Return encoded rows of the columns that were seen, and these as users have them."""
        check_is_fitted(self)
        columns.read_table(self, X, reset=False)
        seen, mixture = self._seen(X), self.mixture_
        if not hasattr(self, "feature_names_in_"):  # nor have the rows of some chunks
            mixture = nameless(mixture)
        return mixture._validate_rows(seen), seen

    def _kept(self) -> np.ndarray:
        return np.delete(np.arange(self.n_features_in_), self.empty_features_)

    def _seen(self, X: Any) -> Any:
        if X is None or len(self.empty_features_) == 0:
            return X
        return columns.take_columns(X, self._kept())

    def _seen_chunks(self, chunks: Chunks) -> Chunks:
        if len(self.empty_features_) == 0:
            return chunks
        return chunks._seen_as(View(partial(_columns_of_chunk, self._kept())))

    def _finished(self, X: Any, seen: Any, rows: np.ndarray, filled: np.ndarray) -> Any:
        """Return filled rows as X has its cells, with or without empty columns."""
        if self.round_integers:
            whole = self.mixture_._whole(seen)
            filled[:, whole] = np.where(np.isnan(rows), np.rint(filled), rows)[:, whole]
        mixture = self.mixture_
        done = columns.fill(seen, rows, filled, mixture.families_, mixture.categories_)
        if len(self.empty_features_) == 0 or not self.keep_empty_features:
            return done
        return columns.with_empty_columns(X, done, self.empty_features_, NOTHING, NO_CATEGORY)

    def _as_set(self, filled: Any) -> Any:
        """Return a frame as an array, unless `set_output` asks for a frame of its library."""
        wanted = _get_output_config("transform", self)["dense"]
        if frames.is_frame(filled) and frames.library_of(filled) != wanted:
            return frames.as_array(filled)
        return filled

    def _bounds_of_seen(self) -> tuple[np.ndarray, np.ndarray]:
        free = np.full(self.n_features_in_, True)
        kept = self._kept()
        free[kept] = self.mixture_.families_ == "categorical"
        low, high = check_bounds(self, self.n_features_in_, free)
        return low[kept], high[kept]


def _columns_of_chunk(kept: np.ndarray, rows: Any, sample_weight: Any, name: str) -> Any:
    return columns.take_columns(rows, kept)


def _of_columns(
    mixture: MixedMixture, table: columns.Table, kinds: np.ndarray, kept: np.ndarray
) -> MixedMixture:
    """Return a clone for some of the columns, which says of each what it is."""
    names = [name for name, keep in zip(table.names, kept, strict=True) if keep]
    if names == [j for j, keep in enumerate(kept) if keep]:  # positions
        names = list(range(len(names)))
    categories = mixture.categories
    if not isinstance(categories, str):
        of_categorical = kept[kinds == "categorical"]
        if len(categories) == len(of_categorical):
            categories = [c for c, keep in zip(categories, of_categorical, strict=True) if keep]
    return clone(mixture).set_params(
        families=dict(zip(names, kinds[kept].tolist(), strict=True)),
        categorical_features=None,
        categories=categories or "auto",
    )
