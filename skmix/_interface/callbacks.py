"""What a fit tells while it runs: printed lines and scikit-learn's callbacks.

scikit-learn has `sklearn.callback` from version 1.9 on; before that only lines are printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in where scikit-learn has no callbacks."""


__all__ = ["CallbackSupportMixin", "FitProgress", "Task"]


class Task:
    """A step of a fit, as callbacks see it; does nothing where nobody listens."""

    def __init__(self, context: Any, estimator: Any, data: dict[str, Any]):
        self._context = context
        self._estimator = estimator
        self._data = data

    @classmethod
    def root(cls, estimator: Any, max_subtasks: int, X: Any, y: Any, sample_weight: Any) -> Task:
        """Begin the outermost task of a fit."""
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        data = {"X": X, "y": y, "metadata": metadata}
        context = None
        if hasattr(estimator, "_init_callback_context"):
            context = estimator._init_callback_context(max_subtasks=max_subtasks)
        if context is None:
            return cls(None, None, {})
        task = cls(context, estimator, data)
        task.begin()
        return task

    def subtask(self, name: str, max_subtasks: int = 0) -> Task:
        """Return a task below this one, not yet begun."""
        if self._context is None:
            return self
        context = self._context.subcontext(task_name=name, max_subtasks=max_subtasks)
        return Task(context, self._estimator, self._data)

    def begin(self, attributes: Callable[[], dict] | None = None) -> None:
        """Begin this task; `attributes` makes the learned ones at this point."""
        if self._context is not None:
            self._context.call_on_fit_task_begin(
                estimator=self._estimator, reconstruction_attributes=attributes, **self._data
            )

    def end(self, attributes: Callable[[], dict] | None = None) -> bool:
        """End this task; return whether a callback asks to stop its siblings."""
        if self._context is None:
            return False
        return self._context.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=attributes, **self._data
        )

    @contextmanager
    def fitting(self, estimator: Any) -> Iterator[None]:
        """Begin and end this task around the fit of `estimator`, which is its work."""
        if self._context is None:
            yield
            return
        with self._context.propagate_callback_context(estimator):
            self.begin()
            yield
            self.end()


class FitProgress:
    """The monitor of one run of EM: prints as scikit-learn's mixtures do, and calls callbacks.

    Parameters
    ----------
    task : Task
        What the iterations are subtasks of.
    verbose : int
        0 is silent, 1 prints iterations, 2 adds times and changes of the likelihood (nats).
    verbose_interval : int
        Iterations from one printed line to the next.
    attributes_of : callable
        From (params, n_iter, lower_bound) to learned attributes, for callbacks that want a
        fitted estimator.
    """

    def __init__(
        self,
        task: Task,
        *,
        verbose: int,
        verbose_interval: int,
        attributes_of: Callable[[Any, int, float], dict[str, Any]],
    ):
        self._task = task
        self._verbose = verbose
        self._verbose_interval = verbose_interval
        self._attributes_of = attributes_of
        self._start_time = self._line_time = perf_counter()
        self._iteration: Task | None = None
        self._lower_bound = float("-inf")

    def run_begins(self, init: int) -> None:
        """Print which initialization starts."""
        if self._verbose:
            print(f"Initialization {init}")
        self._start_time = self._line_time = perf_counter()

    def iteration_begins(self, n_iter: int, params: Any) -> None:
        """Begin the task of one iteration."""
        lower_bound = self._lower_bound
        self._iteration = self._task.subtask("em-iteration")
        self._iteration.begin(lambda: self._attributes_of(params, n_iter - 1, lower_bound))

    def iteration_ends(self, n_iter: int, params: Any, lower_bound: float, change: float) -> bool:
        """Print a line, end the task, and return whether a callback asks to stop."""
        self._lower_bound = lower_bound
        if self._verbose and n_iter % self._verbose_interval == 0:
            line = f"  Iteration {n_iter}"
            if self._verbose > 1:
                now = perf_counter()
                line += f"\t time lapse {now - self._line_time:.5f}s\t ll change {change:.5f}"
                self._line_time = now
            print(line)
        assert self._iteration is not None
        return self._iteration.end(lambda: self._attributes_of(params, n_iter, lower_bound))

    def run_ends(self, lower_bound: float, converged: bool) -> None:
        """Print how the run ended."""
        if not self._verbose:
            return
        line = f"Initialization {'converged' if converged else 'did not converge'}."
        if self._verbose > 1:
            lapse = perf_counter() - self._start_time
            line += f" time lapse {lapse:.5f}s\t lower bound {lower_bound:.5f}."
        print(line)
