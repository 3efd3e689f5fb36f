"""The Bayes rule over class-conditional mixtures."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from numbers import Integral
from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from .._engine import em
from .._interface import chunked_classes, validation
from .._interface.callbacks import CallbackSupportMixin, Task
from .._interface.chunks import Chunks, as_chunks
from .._interface.survey import Convert
from .._interface.versions import VersionedMixin
from .._interface.wording import check_random_state, learned_weights
from .._mixtures.base import BaseMixture
from .._mixtures.chunkwise import lazily_by_chunks
from .._mixtures.known import NOTHING, Known
from ..exceptions import DegenerateComponentWarning, user_level
from .class_fits import blaming, fit_class, warn_once
from .rows import ArrayRows, ChunkRows, ClassRows
from .unlabeled import PartlyLabeled


class MixtureBayesClassifier(
    PartlyLabeled,
    CallbackSupportMixin,
    ClassifierMixin,
    VersionedMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Bayes rule over one mixture per class; subclasses say which mixture."""

    _batches: Any = None  # that `partial_fit` has seen since the last `fit`

    # What a subclass defines ------------------------------------------------------------------

    # Parameters of the classifier that are not those of the mixtures.
    _own_parameters: tuple[str, ...] = ("priors", "n_jobs", "unlabeled")

    @abstractmethod
    def _make_mixture(self, parameters: dict[str, Any]) -> BaseMixture:
        """Return the unfitted mixture of one class."""

    def _fit_rows(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        """Return checked rows, labels and weights."""
        rows, labels = validation.validate_rows(self, X, y)
        return rows, labels, validation.check_sample_weight(sample_weight, rows)

    def _validate_rows(self, X: Any) -> np.ndarray:
        """Return checked rows as `_fit_rows` does."""
        return validation.validate_rows(self, X, reset=False)

    def _sampled_rows(self, rows: np.ndarray) -> np.ndarray:
        """Return what the mixtures drew as users have it."""
        return rows

    # What is the same for all -----------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit one mixture to the rows of every class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), Chunks or Dask collection
            The rows, NaN where a cell is missing. Of :class:`Chunks` and Dask collections the
            rows of a class are read, or held by workers, where they are, one class after the
            other; all together where some rows are `unlabeled`.

        y : array-like of shape (n_samples,), list, Chunks or Dask collection
            Their class labels, `unlabeled` where they are not known. Beside :class:`Chunks` also
            a list with those of each chunk (arrays, functions, or paths of .npy files), or
            Chunks; beside a Dask collection an array or series in the same chunks.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows. Rows of weight 0 are left
            out; a class of which no row is left is not learned. None with Chunks, which have
            their own; a Dask collection has as many chunks as `X`.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If `priors` or the keys of `n_components` do not fit the classes, or a mixture
            cannot be fitted; the text names the class. An earlier fit is kept.

        Warns
        -----
        DegenerateComponentWarning
            If a class has fewer distinct rows than components, or components were repaired.

        Examples
        --------
        >>> from skmix import GMMBayesClassifier
        >>> X, y = [[0.0], [0.4], [5.0], [5.4], [9.0], [9.4]], list("aabbaa")
        >>> classifier = GMMBayesClassifier({"a": 2, "b": 1}, random_state=0).fit(X, y)
        >>> classifier.predict([[1.0], [5.1], [9.5]])
        array(['a', 'b', 'a'], dtype='<U1')
        """
        with validation.earlier_fit_kept(self):
            rows = self._rows_of_fit(X, y, sample_weight)
            if rows.partly_labelled:
                task = Task.root(self, 1, *rows.given)
                prior, mixtures = self._fit_together(rows, task)
            else:
                prior = self._check_priors(rows.weights / rows.weights.sum())
                sizes = self._check_classes(rows)
                task = Task.root(self, self._n_fits(sizes), *rows.given)
                known = self._known_of_rows(rows, sizes)
                mixtures = self._fit_mixtures(rows, self._unfitted(sizes), known, task)
            self.classes_, self.class_prior_, self.mixtures_ = rows.classes, prior, mixtures
            self.n_iter_ = np.array([mixture.n_iter_ for mixture in mixtures])
            self._keep(mixtures)
            self._batches = None
            task.end(dict)
        return self

    def _rows_of_fit(self, X: Any, y: Any, sample_weight: Any) -> ClassRows:
        """Return the rows of positive weight with their classes, checked."""
        chunks = as_chunks(X, sample_weight)
        if chunks is not None:
            return self._rows_in_chunks(X, y, chunks)
        rows, labels, sample_weight = self._fit_rows(X, y, sample_weight)
        validation.check_classes(labels)
        weight, kept_rows, kept = validation.drop_unweighted(sample_weight, rows, labels)
        classes, codes = self._coded(kept)
        return ArrayRows((rows, labels, sample_weight), classes, kept_rows, codes, weight)

    def _rows_in_chunks(self, X: Any, y: Any, chunks: Chunks) -> ClassRows:
        validation.check_labelled(self, y)
        chunks = chunks._labelled(y)
        chunks._hold()
        tally = chunked_classes.tally(self, chunks)
        validation.check_classes(np.repeat(tally.classes, 3))  # classes come several times
        unknown = self._of_no_class(tally.classes)
        convert = self._learn_chunks(chunks)
        return ChunkRows(
            (X, y, None), tally.only(~unknown), bool(unknown.any()), chunks, self, convert
        )

    @abstractmethod
    def _learn_chunks(self, chunks: Chunks) -> Convert:
        """Learn what the columns are; return what makes of chunks the rows of `_fit_rows`."""

    def _keep(self, mixtures: list[Any]) -> None:
        """Learn what else the mixtures of all classes say."""

    def _fit_mixtures(self, rows, mixtures, known, task):
        """Return the mixtures of all classes, fitted to the rows of each."""

        def calls():
            for code, (label, mixture) in enumerate(zip(rows.names, mixtures, strict=True)):
                X_class, weight = rows.of_class(code)
                class_task = task.subtask(f"class {label}")
                points = self._candidates(mixture)
                yield delayed(fit_class)(
                    mixture, points, X_class, weight, label, class_task, known
                )

        n_jobs = self.n_jobs if rows.portable else 1
        mixtures, warned = zip(*Parallel(n_jobs=n_jobs)(calls()), strict=True)
        warn_once(rows.names, warned)
        return list(mixtures)

    def _unfitted(self, sizes: list[int]) -> list[BaseMixture]:
        """Return the mixtures of all classes before their fit."""
        random_state = check_random_state(self.random_state)
        parameters = self.get_params(deep=False)
        for name in self._own_parameters:
            parameters.pop(name)
        mixtures = []
        for size in sizes:
            parameters["n_components"] = size
            parameters["random_state"] = random_state.randint(np.iinfo(np.int32).max)
            mixtures.append(self._make_mixture(parameters))
        return mixtures

    def _check_classes(self, rows: ClassRows) -> list[int]:
        """Return the numbers of components of classes that have something in every column."""
        sizes = self._check_n_components(rows.names)
        shown = rows.shown(sizes)
        for label, of_class in zip(rows.names, shown, strict=True):
            with blaming(label):  # here, since mixtures see no names of columns
                validation.check_observed(self, of_class.observed)
        return [
            self._affordable(size, len(of_class.distinct), label)
            for size, of_class, label in zip(sizes, shown, rows.names, strict=True)
        ]

    def _affordable(self, n_components: int, n_distinct: int, label: Any) -> int:
        """Return the number of components that a class has distinct rows for; warn if fewer."""
        if n_distinct < n_components:
            warnings.warn(
                f"Class {label!r} has {n_distinct} distinct row(s) of positive weight, fewer than "
                f"n_components={n_components}: it gets {n_distinct} component(s).",
                DegenerateComponentWarning,
                stacklevel=user_level(),
            )
        return min(n_components, n_distinct)

    def _candidates(self, mixture: Any) -> list[dict[str, Any]]:
        """Return parameters of mixtures to choose the one of a class from, one if it is given."""
        return [{}]

    def _n_fits(self, sizes: list[int]) -> int:
        """Return how many fits `_fit_mixtures` makes."""
        return len(sizes)

    def _known_of_rows(self, rows: ClassRows, sizes: list[int]) -> Known:
        """Return what the mixtures of all classes are told of all rows."""
        return NOTHING

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _check_priors(self, frequencies):
        if self.priors is None:
            return frequencies
        priors = validation.as_numbers(self.priors, "priors")
        if priors.shape != frequencies.shape:
            raise ValueError(
                f"priors must have one entry per class, shape {frequencies.shape}, but has shape "
                f"{priors.shape}. Entries are in the order of the sorted class labels."
            )
        if not np.all(priors >= 0):
            raise ValueError(f"priors must be non-negative, but got {priors.tolist()}.")
        if not abs(priors.sum() - 1.0) <= validation.ROUNDED_SUM:
            raise ValueError(
                f"priors must sum to 1, but sum to {priors.sum()}; divide them by their sum."
            )
        return validation.normalised(priors)

    def _check_n_components(self, labels):
        if not isinstance(self.n_components, dict):
            return [self.n_components] * len(labels)
        missing = [label for label in labels if label not in self.n_components]
        unknown = [label for label in self.n_components if label not in labels]
        if missing or unknown:
            raise ValueError(
                "The keys of n_components must be the class labels in y: "
                f"missing {missing}, not in y {unknown}."
            )
        sizes = [self.n_components[label] for label in labels]
        for label, size in zip(labels, sizes, strict=True):
            if not isinstance(size, Integral) or size < 1:
                raise ValueError(
                    f"n_components[{label!r}] must be an int of at least 1, but is {size!r}."
                )
        return sizes

    def _joint_log_likelihood(self, X):
        """Log prior + log density of every class, (n_samples, n_classes)."""
        check_is_fitted(self)
        X = self._validate_rows(X)
        joint = np.empty((len(X), len(self.mixtures_)))
        with np.errstate(divide="ignore"):  # a class of prior 0 is impossible
            log_prior = np.log(learned_weights(self, "class_prior_", (len(self.mixtures_),)))
        for c, mixture in enumerate(self.mixtures_):
            if not hasattr(mixture, "weights_"):  # of a stream that has next to no rows of it
                joint[:, c] = -np.inf
                continue
            np.add(mixture._score_rows(em.score_samples, X), log_prior[c], out=joint[:, c])
        return joint

    @lazily_by_chunks(lambda self: (), lambda self: self.classes_.dtype)
    def predict(self, X):
        """Return the most probable class of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), Chunks or Dask collection
            The rows, NaN where a cell is missing.

        Returns
        -------
        y : ndarray of shape (n_samples,), Chunks or Dask array
            Class labels. Those of :class:`Chunks` and Dask collections are computed when they are
            asked for, here as in other methods, by the classifier as it is now.

        Examples
        --------
        >>> from skmix import GMMBayesClassifier
        >>> GMMBayesClassifier().fit([[0], [1], [5], [6]], [0, 0, 1, 1]).predict([[2], [4]])
        array([0, 1])
        """
        joint = self._joint_log_likelihood(X)
        return self.classes_[np.argmax(joint, axis=1)]

    @lazily_by_chunks(lambda self: (len(self.classes_),), np.float64)
    def predict_log_proba(self, X):
        """Return the logarithms of the class probabilities of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), Chunks or Dask collection
            The rows, NaN where a cell is missing.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Logarithms (nats), in the order of `classes_`.

        Examples
        --------
        >>> from skmix import GMMBayesClassifier
        >>> classifier = GMMBayesClassifier().fit([[0], [1], [5], [6]], [0, 0, 1, 1])
        >>> classifier.predict_log_proba([[3]]).round(4)
        array([[-0.6931, -0.6931]])
        """
        joint = self._joint_log_likelihood(X)
        return joint - logsumexp(joint, axis=1, keepdims=True)

    @lazily_by_chunks(lambda self: (len(self.classes_),), np.float64)
    def predict_proba(self, X):
        """Return the class probabilities of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), Chunks or Dask collection
            The rows, NaN where a cell is missing.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Posterior probabilities, in the order of `classes_`; rows sum to 1.

        Examples
        --------
        >>> from skmix import GMMBayesClassifier
        >>> classifier = GMMBayesClassifier().fit([[0], [1], [5], [6]], [0, 0, 1, 1])
        >>> classifier.predict_proba([[3]]).round(4)
        array([[0.5, 0.5]])
        """
        with np.errstate(under="ignore"):
            return np.exp(self.predict_log_proba(X))

    @lazily_by_chunks(lambda self: (), np.float64)
    def score_samples(self, X):
        r"""Return the log density of every row, over all classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), Chunks or Dask collection
            The rows, NaN where a cell is missing.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
            Natural logarithms of :math:`p(x) = \sum_c \pi_c\, p(x | c)` (nats).

        Examples
        --------
        >>> from skmix import GMMBayesClassifier
        >>> classifier = GMMBayesClassifier().fit([[0], [1], [5], [6]], [0, 0, 1, 1])
        >>> near, far = classifier.score_samples([[1], [30]])
        >>> bool(near > far)
        True
        """
        return logsumexp(self._joint_log_likelihood(X), axis=1)

    def sample(self, n_samples=1):
        """Draw rows and their classes.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The rows, grouped by class.

        y : ndarray of shape (n_samples,)
            The class of every row.

        Examples
        --------
        >>> from skmix import GMMBayesClassifier
        >>> classifier = GMMBayesClassifier(random_state=0).fit([[0], [1], [5], [6]], [0, 0, 1, 1])
        >>> X, y = classifier.sample(5)
        >>> X.shape, y.shape
        ((5, 1), (5,))
        """
        check_is_fitted(self)
        n_samples = validation.check_n_samples(n_samples)
        random_state = check_random_state(self.random_state)
        prior = learned_weights(self, "class_prior_", (len(self.mixtures_),))
        counts = random_state.multinomial(n_samples, prior / prior.sum())
        X = [
            mixture._sample(int(n), random_state)[0]
            for mixture, n in zip(self.mixtures_, counts, strict=True)
            if n > 0
        ]
        return self._sampled_rows(np.concatenate(X)), np.repeat(self.classes_, counts)
