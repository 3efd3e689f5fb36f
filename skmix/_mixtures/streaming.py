"""Mixtures of streams: `partial_fit`, a batch of rows at a time."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import available_if

from .._engine import online
from .._interface import survey, validation
from .._interface.callbacks import Task
from .._interface.chunks import as_chunks
from .._interface.wording import check_random_state, learned, learned_weights
from .._rows.sources import Source
from .base import BaseMixture

CONSTRAINT = [Interval(Real, 0.0, 1.0, closed="neither"), None]

# A start needs so many cells per free parameter, and rows per component; no more than
# `MOST_ROWS`, or so many bytes, are kept for it.
CELLS_PER_PARAMETER, ROWS_PER_COMPONENT = 10, 50
MOST_ROWS, MOST_BYTES = 20_000, 64 * 2**20


def can_stream(estimator: Any) -> bool:
    """Say that an estimator learns from streams; raise an error that says why it does not."""
    estimator._refuse_stream()
    return True


class Waiting(NamedTuple):
    """The first batches, kept until there are rows enough for a start."""

    rows: tuple[np.ndarray, ...] = ()
    weights: tuple[np.ndarray | None, ...] = ()
    n_rows: int = 0


class Running(NamedTuple):
    """A stream after its start."""

    family: Any
    stream: online.Stream
    random_state: np.random.RandomState


class StreamFit(BaseMixture):
    """Adds `partial_fit` to a mixture; subclasses say what a batch is."""

    forgetting: float | None

    # What a subclass defines ------------------------------------------------------------------

    @abstractmethod
    def _read_batch(self, X: Any, sample_weight: Any, *, reset: bool) -> tuple[Any, Any]:
        """Return checked rows of a batch that say something, as a source takes them, and weights.

        With `reset` it is the first, and columns are learned of it.
        """

    @abstractmethod
    def _source_of_batch(self, rows: np.ndarray, sample_weight: np.ndarray | None) -> Source:
        """Return a source of such rows."""

    @abstractmethod
    def _n_free(self, n_features: int) -> int:
        """Return the number of free parameters."""

    @abstractmethod
    def _family_of_fit(self, source: Source) -> tuple[Any, Any]:
        """Return the family and parameters of the attributes, for streams that go on from them."""

    def _refuse_stream(self) -> None:
        """Refuse parameters that streams have no way for."""

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "weights_")

    # The method -------------------------------------------------------------------------------

    @available_if(can_stream)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        r"""Learn from another batch of rows of a stream.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Chunks
            The rows of the batch, NaN where a cell is missing. Chunks are as many batches.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows.

        Returns
        -------
        self : object
            The mixture, fitted once it has seen enough rows for a start: ten cells for every
            free parameter and 50 rows per component, 20 000 rows at most. The first batches are
            kept until then, and other methods raise NotFittedError.

        Raises
        ------
        ValueError
            If the rows are invalid or have other columns than those before. What was learned
            before is kept.
        AttributeError
            If a parameter needs all rows at once; its cause names the parameter.

        See Also
        --------
        Chunks : Several passes over rows that do not fit into memory.
        sklearn.cluster.MiniBatchKMeans : K-means of batches.

        Notes
        -----
        This is online EM [1]_: the responsibilities of a batch of weight b move the running
        statistics of all components by a step :math:`\gamma`, and the parameters are those that
        these make most likely. With ``forgetting=None`` steps decay,
        :math:`\gamma = (b / u) (n / u)^{-0.6}` for the weight n of all rows so far, where u
        is the mean weight of a batch, or that of 50 rows per component if that is more; for
        batches of one size this is the number of the batch to the power of -0.6. Attributes are
        then those of an average of the statistics along the way, in which the latest rows count
        most. One pass over shuffled rows comes near the maximum of the likelihood that many passes
        of `fit` find. A rate in (0, 1) is the step of every batch, and follows rows that change:
        a batch counts for (1 - forgetting)^m after m others.

        A component whose share falls below one of the rows that still count is started anew, from
        half of the heaviest one. Categories are those of the first batch, or of the parameter
        `categories`; `reg_covar`, `shrinkage` and a prior are resolved at the start. `fit` begins
        anew, and `partial_fit` after `fit` goes on from the fit, which counts as its rows.
        `n_iter_` counts batches, `lower_bounds_` has the mean log-likelihood of each of the last
        1000 before it was learned, and `lower_bound_` their average by the same weights.

        References
        ----------
        .. [1] O. Cappé, E. Moulines, "On-line expectation-maximization algorithm for latent data
           models", Journal of the Royal Statistical Society B 71(3), 2009.
           :doi:`10.1111/j.1467-9868.2009.00698.x`

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import GaussianMixture
        >>> rng = np.random.default_rng(0)
        >>> mixture = GaussianMixture(2, random_state=0)
        >>> for _ in range(50):
        ...     batch = rng.normal(size=(100, 1)) + rng.choice([-5, 5], size=(100, 1))
        ...     mixture = mixture.partial_fit(batch)
        >>> np.sort(mixture.means_, axis=0).round()
        array([[-5.],
               [ 5.]])
        """
        if as_chunks(X) is not None:
            for rows, weight in survey.pieces(X, sample_weight):
                self._learn_batch(rows, weight)
        else:
            self._learn_batch(X, sample_weight)
        return self

    def _learn_batch(self, X: Any, sample_weight: Any) -> None:
        with validation.earlier_fit_kept(self):
            progress = self._progress
            fitted = hasattr(self, "weights_")
            reset = progress is None and not fitted
            rows, weight = self._read_batch(X, sample_weight, reset=reset)
            if reset:
                self._remember_columns(X)
            if len(rows) == 0:
                return
            if progress is None and fitted:
                progress = self._resumed(rows, weight)
            if isinstance(progress, Running):
                progress = self._advanced(progress, rows, weight)
            else:
                progress = self._started(progress or Waiting(), rows, weight)
            if isinstance(progress, Running):
                self._publish(progress, rows.dtype)
            self._progress = progress

    def _started(self, waiting: Waiting, rows: Any, weight: Any) -> Waiting | Running:
        """Return a stream that has begun, if the batches so far have rows enough."""
        waiting = Waiting(
            (*waiting.rows, rows.copy()),
            (*waiting.weights, weight),
            waiting.n_rows + len(rows),
        )
        most = min(MOST_ROWS, MOST_BYTES // max(1, rows[:1].nbytes))
        n_features = rows.shape[1]
        cells = CELLS_PER_PARAMETER * self._n_free(n_features)
        wanted = max(-(-cells // n_features), ROWS_PER_COMPONENT * self.n_components)
        if waiting.n_rows < max(2, min(wanted, most)):
            return waiting
        X = np.concatenate(waiting.rows)
        if X.dtype.kind == "f" and waiting.n_rows < most and np.isnan(X).all(axis=0).any():
            return waiting  # for something in every column
        weights: Any = None
        if any(own is not None for own in waiting.weights):
            pairs = zip(waiting.weights, waiting.rows, strict=True)
            weights = np.concatenate([np.ones(len(b)) if w is None else w for w, b in pairs])
        if X.dtype.kind == "f" and np.isnan(X).any():
            validation.drop_empty_rows(self, weights, X)  # raises where a column is empty
        self._check_fit_parameters(X.shape, weights is not None)
        source = self._source_of_batch(X, weights)
        with source:
            family: Any = self._make_family(source)
            run = self._best_run(source, family, self.n_init, Task(None, None, {}))
            stream = online.begin(
                family,
                run.result.params,
                weight=source.total_weight,
                n_rows=len(X),
                n_batches=len(waiting.rows),
                forgetting=self.forgetting,
                lower_bound=run.result.lower_bound,
            )
        return Running(family, stream, check_random_state(self.random_state))

    def _resumed(self, rows: Any, weight: Any) -> Running:
        """Return a stream that goes on from the attributes of a fit."""
        self._check_going_on()
        with self._source_of_batch(rows, weight) as source:
            family, params = self._family_of_fit(source)
            fitted_weight, n_rows = self._weight_of_fit
            if n_rows == 0:  # made of parameters
                fitted_weight = n_rows = self._n_free(rows.shape[1])
            stream = online.begin(
                family,
                params,
                weight=fitted_weight,
                n_rows=n_rows,
                n_batches=max(1.0, n_rows / source.n_samples),
                forgetting=self.forgetting,
                lower_bound=self._lower_bound_so_far(),
            )
        return Running(family, stream, check_random_state(self.random_state))

    def _lower_bound_so_far(self) -> float:
        """Return what was learned, which is no finite number where parameters were given."""
        bound = self.lower_bound_
        if isinstance(bound, float) and not np.isfinite(bound):
            return bound
        return float(learned(self, "lower_bound_", ()))

    def _check_going_on(self) -> None:
        """Refuse to go on from a fit of another kind."""
        if len(learned_weights(self, "weights_", (None,))) != self.n_components:
            raise ValueError(
                f"partial_fit goes on from a fit of {len(self.weights_)} components, but "
                f"n_components={self.n_components}. Call fit, or clone the mixture."
            )

    def _advanced(self, progress: Running, rows: Any, weight: Any) -> Running:
        random_state = np.random.RandomState()
        random_state.set_state(progress.random_state.get_state())  # kept where a batch fails
        with self._source_of_batch(rows, weight) as source:
            stream = online.advance(
                progress.stream,
                source,
                progress.family,
                forgetting=self.forgetting,
                hard=self.assignment == "hard",
                random_state=random_state,
            )
        return Running(progress.family, stream, random_state)

    def _publish(self, progress: Running, dtype: Any) -> None:
        """Set the attributes."""
        family, stream = progress.family, progress.stream
        learned = self._attributes(family, stream.answer, _float_type(dtype))
        for name, value in learned.items():
            setattr(self, name, value)
        self.converged_, self.n_iter_ = False, int(stream.n_batches)
        self.lower_bound_, self.lower_bounds_ = stream.lower_bound, list(stream.lower_bounds)


def _float_type(dtype: Any) -> np.dtype:
    return np.dtype(np.float32 if dtype == np.float32 else np.float64)
