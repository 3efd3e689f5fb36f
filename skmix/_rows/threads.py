"""On how many threads rows are visited, and those of BLAS and OpenMP meanwhile."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import threadpoolctl


@functools.cache
def _controller() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()


def one_openmp_thread() -> Any:
    """Context in which OpenMP code of other libraries adds up in one order."""
    return _controller().limit(limits=1, user_api="openmp")


def _let_any_thread_limit() -> None:
    # From threadpoolctl 3.7 on, one thread at a time may limit OpenBLAS and others are ignored.
    clear = getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)


class _BlasThreads:
    """Give all BLAS threads to our own threads while at least one source is open.

    The limit of a BLAS library is one number for the whole process, so concurrent fits share it:
    the first to open lowers it to one, the last to close restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own = threading.local()  # how many of these this thread has opened
        self._n_open = 0
        self._n_threads = 1
        self._limiter: Any = None

    @functools.cached_property
    def _controller(self) -> Any:
        return _controller().select(user_api="blas")

    def __enter__(self) -> int:
        with self._lock:
            if self._n_open == 0:
                self._n_threads = min(
                    (lib["num_threads"] for lib in self._controller.info()), default=1
                )
                _let_any_thread_limit()
                self._limiter = self._controller.limit(limits=1)
            self._n_open += 1
            self._own.n_open = getattr(self._own, "n_open", 0) + 1
            return self._n_threads

    def __exit__(self, *exc: Any) -> None:
        with self._lock:
            self._n_open -= 1
            self._own.n_open = getattr(self._own, "n_open", 0) - 1
            if self._n_open == 0:
                self._restore()

    def _restore(self) -> None:
        _let_any_thread_limit()  # the thread that opened first may be another
        self._limiter.restore_original_limits()
        _let_any_thread_limit()

    def before_fork(self) -> None:
        """Let no other thread hold the lock whose copy nobody would release in the child."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Close what other threads had opened, which are not there."""
        was_open, self._n_open = self._n_open > 0, max(0, getattr(self._own, "n_open", 0))
        if was_open and self._n_open == 0:
            self._restore()
        self._lock.release()


blas_threads = _BlasThreads()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=blas_threads.before_fork,
        after_in_parent=blas_threads.after_fork_in_parent,
        after_in_child=blas_threads.after_fork_in_child,
    )


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Context, and decorator, in which products add up in one order; sources have threads."""
    with blas_threads:
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Context in which other libraries use one thread of BLAS and one of OpenMP."""
    with blas_threads, one_openmp_thread():
        yield


@contextmanager
def worker_threads() -> Iterator[Callable[[Callable[[Any], None], Iterable[Any]], None]]:
    """Context with a function that calls another with every item, on the threads of BLAS.

    Items are many, and what they write does not overlap.
    """
    with ExitStack() as stack:
        n_threads = stack.enter_context(blas_threads)
        pool = ThreadPoolExecutor(n_threads, thread_name_prefix="skmix")
        stack.callback(pool.shutdown, cancel_futures=True)

        def for_each(task: Callable[[Any], None], items: Iterable[Any]) -> None:
            run = functools.partial(quiet, task)
            list(map(run, items) if n_threads == 1 else pool.map(run, items))

        yield for_each


def quiet(task: Any, lane: list[slice]) -> Any:
    """Run a task without a warning where a number underflows."""
    # Responsibilities that underflow to zero are exact to rounding; error states are per thread.
    with np.errstate(under="ignore"):
        return task(lane)
