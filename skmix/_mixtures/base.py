"""What all mixture estimators share: a fit by EM, from as many starts as are asked for."""

from __future__ import annotations

import operator
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.exceptions import ConvergenceWarning

from .._engine import em
from .._families import Family
from .._interface import survey, validation
from .._interface.callbacks import CallbackSupportMixin, FitProgress, Task
from .._interface.chunks import Chunks, as_chunks, template_of
from .._interface.convergence import warn_of_fall
from .._interface.wording import check_random_state
from .._rows.sources import ArraySource, Source
from ..exceptions import DegenerateComponentWarning, user_level
from .fitted import FittedMixture
from .known import Known, KnowsRows


class Run(NamedTuple):
    """One run of EM from one start."""

    result: em.EMResult
    repairs: list[str]  # sentences about what was repaired in the start


class BaseMixture(KnowsRows, CallbackSupportMixin, FittedMixture):
    """A mixture that EM fits; subclasses say what a component is and where EM starts."""

    # What a subclass defines ------------------------------------------------------------------

    @abstractmethod
    def _make_family(self, source: Source) -> Family:
        """Return the family that a fit to these rows uses."""

    @abstractmethod
    def _given_start(self, family: Any, n_features: int) -> dict[str, Any]:
        """Return the starting parameters that the user gave, or those of the last fit."""

    @abstractmethod
    def _start(self, source: Source, family: Any, given: dict, random_state: Any) -> Any:
        """Return starting parameters and sentences about repairs."""

    @abstractmethod
    def _attributes(self, family: Any, params: Any, dtype: Any) -> dict[str, Any]:
        """Return learned attributes, in the units of the rows."""

    # What helps where the likelihood falls.
    _fall_remedy = (
        "Drop columns that others nearly determine, standardise the columns, pass float64 rows, "
        "or raise reg_covar."
    )

    # What `partial_fit` goes on from: the weight of the rows of a fit and their number, or batches
    # since then.
    _weight_of_fit: tuple[float, int] = (0.0, 0)
    _progress: Any = None

    _part_name = ""  # of the family, unless it is a product, beside labels

    # The labels of the rows of this fit, where it was given some; `_labelled` sets them.
    _labelling: Any = None

    @contextmanager
    def _labelled(self, partial_labels: Any) -> Iterator[None]:
        """Context of a fit in which some rows have labels; None for none."""
        if partial_labels is not None:
            raise ValueError(
                f"{type(self).__name__} takes no partial_labels. Leave them out, or use "
                "GaussianMixture, CategoricalMixture or MixedMixture."
            )
        yield

    def _labels_of(
        self, source: Any, rows: np.ndarray, sample_weight: Any, labels: np.ndarray
    ) -> tuple[Any, np.ndarray]:
        """Return a source of the rows that are not left out, and their labels."""
        kept = ~np.isnan(rows).all(axis=1)
        if sample_weight is not None:
            kept &= sample_weight > 0
        return source, labels[kept]

    _accelerate = False  # whether EM extrapolates; the family must be able to

    def _fit_source(self, X: Any, sample_weight: Any) -> tuple[Any, Any, Source]:
        """Return the checked rows and weights, and a source of what a fit visits."""
        chunks = self._chunks_of(X, sample_weight)
        if chunks is not None:
            return chunks, None, self._fit_chunks(chunks)
        rows = validation.validate_mapped_rows(self, X, ensure_min_samples=2)
        self._check_rows(rows, reset=True)
        sample_weight = validation.check_sample_weight(sample_weight, rows)
        weight, X = validation.drop_unweighted(sample_weight, rows)
        incomplete = validation.has_missing(X)
        if incomplete:
            weight, X = validation.drop_empty_rows(self, weight, X)
            incomplete = validation.has_missing(X)
        self._check_fit_parameters(X.shape, weight is not None)
        return rows, sample_weight, ArraySource(X, weight, incomplete=incomplete)

    def _chunks_of(self, X: Any, sample_weight: Any) -> Chunks | None:
        """Return X where it comes in chunks, and refuse what is not for them."""
        chunks = as_chunks(X, sample_weight)
        if chunks is not None:
            chunks = self._labelled_chunks(chunks)
            chunks._hold()
        return chunks

    def _labelled_chunks(self, chunks: Chunks) -> Chunks:
        """Return rows in chunks with the labels that this fit was given."""
        return chunks

    def _fit_chunks(self, chunks: Chunks) -> Source:
        """Return a source of what a fit visits of rows in chunks."""
        found = survey.find(self, chunks, survey.as_floats)
        some = np.full((1, found.n_features), np.nan if found.holes.any() else 0.0)
        self._check_rows(some, reset=True)  # for what is missing
        self._check_fit_parameters((found.n_samples, found.n_features), chunks.weighted)
        return found.numbers_of(chunks)

    def _check_fit_parameters(self, shape: tuple[int, ...], weighted: bool) -> None:
        """Refuse parameters that do not suit rows of this shape, less those without weight."""
        n_samples = shape[0]
        if n_samples < self.n_components:
            hint = " with positive sample_weight" if weighted else ""
            raise ValueError(
                "Expected n_samples >= n_components but got n_components = "
                f"{self.n_components}, n_samples = {n_samples}{hint}. Use at most as many "
                "components as there are rows."
            )

    def _rank(self, source: Source, family: Any, result: em.EMResult) -> Any:
        """Return what compares the results of runs: the largest is the best."""
        return result.lower_bound

    def _is_flattered(self, X: Any, sample_weight: Any) -> bool:
        """Whether the likelihood of this fit to these rows is no guide to what it is worth."""
        return False

    def _reseed(
        self, source: Source, family: Any, given: dict, params: Any, random_state: Any
    ) -> Any:
        """Return parameters to go on from, or None where a run needs no second try."""
        return None

    def _repairs(self, source: Source, family: Any, params: Any) -> list[str]:
        """Return sentences about components that the fit had to repair."""
        dead = np.flatnonzero(params.weights == 0)
        if len(dead) == 0:
            return []
        return [
            f"{names(dead)} lost all rows: left out with weight 0. Use fewer components or "
            "another start."
        ]

    # Fitting ----------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, partial_labels=None):
        """Fit the mixture by EM.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), Chunks or Dask collection
            The rows, NaN where a cell is missing. They are not copied, unless some are entirely
            missing: those are left out of the fit and of `lower_bound_`. :class:`Chunks` or a
            data set of pyarrow may be larger than memory: they are read again in every pass.
            So are the chunks of Dask arrays and data frames by a local scheduler; on a cluster
            the workers hold them, and each sums its own in every pass.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows. Rows of weight 0 are left
            out. None with Chunks, which have their own; a Dask collection has as many chunks as
            `X`.

        partial_labels : array-like of int of shape (n_samples,), default=None
            The component that each row comes from, -1 where it is not known. A labelled row
            counts for its component alone, from the start on, and components start from their
            labelled rows; those without any are found among the rest. Components keep the order
            of the labels, and the rows of an array are copied. Beside Chunks also a list with
            those of each chunk (arrays, functions, or paths of .npy files), or Chunks; beside a
            Dask collection an array in the same chunks. Not for :class:`Mixture`, nor with noise.

        Returns
        -------
        self : object
            The fitted mixture.

        Raises
        ------
        ValueError
            If there are fewer rows of positive weight than components, `X` is infinite
            somewhere or has a column that is entirely missing, weights are negative or all
            zero, a start has the wrong shape, or a component has no most likely parameters. An
            earlier fit is kept.
        RuntimeError
            If a Dask cluster lost its scheduler, or workers die again and again.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` iterations did not reach `tol`, or the likelihood fell in one of them
            by more than regularisation and rounding explain.
        DegenerateComponentWarning
            If components were repaired or lost all rows.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import GaussianMixture
        >>> X = np.array([[0.0], [1.0], [5.0]])
        >>> GaussianMixture().fit(X, sample_weight=[1, 1, 2]).means_
        array([[2.75]])
        """
        self._fit(X, y, sample_weight, partial_labels)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_predict(self, X, y=None, sample_weight=None):
        """Fit the mixture and return the most probable component of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Chunks
            The rows, NaN where a cell is missing.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, as in `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            The same as ``fit(X).predict(X)``.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> GaussianMixture(2, random_state=0).fit_predict([[0.0], [0.1], [5.0], [5.1]])
        array([1, 1, 0, 0])
        """
        rows = self._fit(X, y, sample_weight)
        return (
            self.predict(rows) if isinstance(rows, Chunks) else self._score_rows(em.predict, rows)
        )

    def _fit(self, X, y, sample_weight, partial_labels=None):
        """Fit and return the validated rows."""
        with validation.earlier_fit_kept(self), self._labelled(partial_labels):
            rows, sample_weight, source = self._fit_source(X, sample_weight)
            n_init = 1 if self._continues() else self.n_init
            max_subtasks = n_init if n_init > 1 else self.max_iter
            task = Task.root(self, max_subtasks, rows, y, sample_weight)
            with source:
                family = self._make_family(source)
                result, repairs = self._best_run(source, family, n_init, task)
                attributes = self._attributes(family, result.params, source.dtype)
                repairs = repairs + self._repairs(source, family, result.params)
            vars(self).update(attributes)
            self.converged_ = result.converged
            self.n_iter_ = result.n_iter
            self.lower_bound_ = result.lower_bound
            self.lower_bounds_ = result.lower_bounds
            self._remember_columns(X)
            self._weight_of_fit, self._progress = (source.total_weight, source.n_samples), None
            self._warn(result, repairs)
            task.end(dict)
        return rows

    def _remember_columns(self, X: Any) -> None:
        """Keep what frames are made of: the columns of X, or of the rows that it was made of."""
        template, names = self._known.template, self._known.feature_names
        self._template = template_of(X) if template is None else template
        if names is not None:
            self.feature_names_in_ = names

    def _known_of_fit(self) -> Known:
        """Return what was resolved of the rows of this fit, for others of its kind."""
        return Known()

    def _fit_again(
        self, X: Any, sample_weight: Any = None, partial_labels: Any = None, **settings: Any
    ) -> Any:
        """Return a fit to other rows, or with other weights, that starts where this one ended."""
        again: Any = clone(self).set_params(warm_start=True, n_init=1, verbose=0, **settings)
        learned = {name: value for name, value in vars(self).items() if name.endswith("_")}
        vars(again).update(learned)
        again.lower_bound_ = -np.inf  # that of these rows is not known
        with again._knowing(self._known_of_fit()):
            again.fit(X, sample_weight=sample_weight, partial_labels=partial_labels)
        return again

    def _continues(self) -> bool:
        return self.warm_start and hasattr(self, "weights_")

    def _best_run(self, source: Source, family: Family, n_init: int, task: Task) -> Run:
        """Run EM from every start; return the run of highest likelihood."""
        given = self._given_start(family, source.n_features)
        random_state = check_random_state(self.random_state)
        best: Run | None = None
        best_rank: Any = None
        for init in range(n_init):
            run_task = task
            if n_init > 1:
                run_task = task.subtask("initialization", self.max_iter)
                run_task.begin()
            run = self._run(init, source, family, given, random_state, run_task)
            rank = self._rank(source, family, run.result) if n_init > 1 else None
            if best is None or rank > best_rank:
                best, best_rank = run, rank
            learned = partial(self._attributes, family, best.result.params, source.dtype)
            if n_init > 1 and run_task.end(learned):
                break
        assert best is not None  # n_init is at least 1
        return best

    def _run(self, init, source, family, given, random_state, task) -> Run:
        progress = FitProgress(
            task,
            verbose=int(self.verbose),
            verbose_interval=self.verbose_interval,
            attributes_of=lambda params, n_iter, lower_bound: {
                **self._attributes(family, params, source.dtype),
                "n_iter_": n_iter,
                "lower_bound_": lower_bound,
            },
        )
        progress.run_begins(init)
        params, repairs = self._start(source, family, given, random_state)
        hard = self.assignment == "hard"
        options = {
            "tol": self.tol,
            "monitor": progress,
            "accelerate": self._accelerate and not hard,
            "hard": hard,
        }
        result = em.em(
            source,
            family,
            params,
            max_iter=self.max_iter,
            lower_bound=self.lower_bound_ if self._continues() else -np.inf,
            **options,
        )
        left = self.max_iter - result.n_iter
        if left > 0 and not (result.stopped or self._continues()):
            params = self._reseed(source, family, given, result.params, random_state)
            if params is not None:
                again = em.em(source, family, params, max_iter=left, **options)
                ranks = (self._rank(source, family, run) for run in (again, result))
                if operator.gt(*ranks):
                    result = again
        if self.max_iter > 0:
            progress.run_ends(result.lower_bound, result.converged)
        return Run(result, repairs)

    def _warn(self, result: em.EMResult, repairs: list[str]) -> None:
        if result.fall > 0:
            warn_of_fall(result.fall, self._fall_remedy)
        elif not (result.converged or result.stopped) and self.max_iter > 0:
            warnings.warn(
                "Best performing initialization did not converge. Try different init parameters, "
                "or increase max_iter, tol, or check for degenerate data.",
                ConvergenceWarning,
                stacklevel=user_level(),
            )
        if repairs:
            warnings.warn(" ".join(repairs), DegenerateComponentWarning, stacklevel=user_level())


def names(components: np.ndarray) -> str:
    """Name components in a message."""
    shown = ", ".join(str(k) for k in components[:10])
    more = f" and {len(components) - 10} more" if len(components) > 10 else ""
    return f"Component(s) {shown}{more}"
