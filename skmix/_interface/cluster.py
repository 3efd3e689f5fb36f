"""Parts of rows on the workers of a Dask cluster, and what is asked of them there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

# Parameters go to every worker through the scheduler if these are no more bytes in all; a task of
# their own would take as long again as all else that a pass waits for.
DIRECT_BYTES = 4 * 2**20
PIECE_BYTES = 4 * 2**20

# Seconds after which a client that waits is asked whether it still has a scheduler.
PATIENCE = 2.0

LOST = (
    "The scheduler of the Dask cluster was lost, or its client closed. Start a cluster and a "
    "client anew, make X again from its source, and repeat the call. An earlier fit is kept."
)


def client_of(X: Any) -> Any:
    """Return the client of the cluster that would compute X; None of a local scheduler."""
    from dask.base import get_scheduler

    client = getattr(get_scheduler(collections=[X]), "__self__", None)
    if client is None or not hasattr(client, "submit"):
        return None
    if client.asynchronous:
        raise TypeError(
            "The Dask client is asynchronous, and a fit waits for its passes. Use "
            "Client(..., asynchronous=False)."
        )
    if is_lost(client):
        raise RuntimeError(LOST)
    return client


def is_lost(client: Any) -> bool:
    """Whether a client has no scheduler any more."""
    comm = client.scheduler_comm
    return comm is None or comm.closed() or client.status != "running"


class Parts:
    """Parts of rows, each the result of a task on one worker.

    A part that is lost with its worker is made again, from its graph, on another one.

    Parameters
    ----------
    client : distributed.Client
        The client of the cluster.

    futures : list of Future
        The parts, in the order of the rows.

    workers : list of str
        Where they should be.
    """

    def __init__(self, client: Any, futures: list[Any], workers: list[str]) -> None:
        self._client, self._futures, self._workers = client, futures, workers

    def run(self, function: Callable[..., Any], own: list[Any] | None = None) -> list[Any]:
        """Return ``function(part, n_threads, *own)`` of every part, in their order.

        `own` has other arguments for each part, None for those of which nothing is asked and
        None comes back. The function travels once to each worker.
        """
        own = [()] * len(self._futures) if own is None else own
        with errors_explained():
            futures = self._submitted(function, own)
            found = iter(
                gathered(self._client, [future for future in futures if future is not None])
            )
        return [None if future is None else next(found) for future in futures]

    def made(self, function: Callable[..., Any], own: list[Any]) -> Parts:
        """Return parts that a function makes of these, less those that have None of their own."""
        with errors_explained():
            futures = self._submitted(function, own)
        kept = [i for i, future in enumerate(futures) if future is not None]
        workers = [self._workers[i] for i in kept]
        return Parts(self._client, [futures[i] for i in kept], workers)

    def _submitted(self, function: Callable[..., Any], own: list[Any]) -> list[Any]:
        payload: list[Any] = _pickled(function)
        if len(self._futures) * sum(map(len, payload)) > DIRECT_BYTES:
            # From the first worker on, it travels among workers; to be lost is no harm.
            payload = [self._client.submit(_same, piece, pure=False) for piece in payload]
        return [
            None if mine is None else self._submit(payload, i, mine) for i, mine in enumerate(own)
        ]

    def _submit(self, payload: list[Any], i: int, own: tuple[Any, ...]) -> Any:
        where = {"workers": [self._workers[i]], "allow_other_workers": True}
        return self._client.submit(_called, payload, self._futures[i], *own, pure=False, **where)


def hold(client: Any, chunks: list[Any], sizes: Any) -> Parts:
    """Make a part of every run of chunks that follow one another, one for each worker.

    Which chunks a part has depends on their sizes and on the numbers of threads of the workers
    alone; which worker holds it, on what they hold already.

    Parameters
    ----------
    client : distributed.Client
        The client of the cluster.

    chunks : list of tuple
        For every chunk its number and what it is computed from, as `dask.delayed`.

    sizes : list of int
        Of the chunks, or ones where they are not known.
    """
    import dask

    with errors_explained():
        threads = client.nthreads()
    if not threads:
        raise RuntimeError("The Dask cluster has no workers. Start some, or wait for them.")
    workers = sorted(threads, key=lambda worker: (-threads[worker], worker))
    shares = np.cumsum([threads[worker] for worker in workers]) / sum(threads.values())
    ends = np.cumsum(sizes) - 0.5 * np.asarray(sizes)
    part_of = np.searchsorted(shares * max(1, sum(sizes)), ends)
    groups = [
        (worker, [chunks[j] for j in np.flatnonzero(part_of == i)])
        for i, worker in enumerate(workers)
    ]
    groups = [(worker, group) for worker, group in groups if group]
    made = dask.delayed(list, pure=False)
    with errors_explained():
        futures = [
            client.compute(
                made(group), workers=[worker], allow_other_workers=True, optimize_graph=True
            )
            for worker, group in groups
        ]
    return Parts(client, futures, [worker for worker, _ in groups])


def stream(client: Any, chunks: list[Any], function: Callable[[list[Any]], Any]) -> list[Any]:
    """Return what a function says of each chunk alone, which is not held."""
    import dask

    same = dask.delayed(_same, pure=False)
    payload = [same(piece) for piece in _pickled(function)]
    asked = dask.delayed(_called, pure=False)
    with errors_explained():
        futures = client.compute([asked(payload, [chunk]) for chunk in chunks])
        return gathered(client, futures)


def gathered(client: Any, futures: list[Any]) -> list[Any]:
    """Return the results of tasks; a client would wait for ever where its scheduler has ended."""
    from distributed import wait

    while True:
        try:
            wait(futures, timeout=PATIENCE)
            return client.gather(futures)
        except TimeoutError as error:
            if is_lost(client):
                raise RuntimeError(LOST) from error


@contextmanager
def errors_explained() -> Iterator[None]:
    """Say what to do where a cluster fails; errors of the rows pass."""
    if "distributed" not in sys.modules:
        yield
        return
    from concurrent.futures import CancelledError

    from distributed import KilledWorker, client
    from distributed.comm import CommClosedError

    closed = getattr(client, "ClosedClientError", CommClosedError)  # new in 2025

    try:
        yield
    except KilledWorker as error:
        raise RuntimeError(
            "Workers of the Dask cluster died again and again while they held a part of the rows, "
            "for want of memory as a rule. Use more workers, workers with more memory, or "
            f"float32. ({error})"
        ) from error
    except (CancelledError, CommClosedError, closed) as error:
        raise RuntimeError(LOST) from error


def _pickled(function: Callable[..., Any]) -> list[bytes]:
    """Return a function in pieces that the scheduler does not complain of."""
    import cloudpickle

    pickled = cloudpickle.dumps(function)
    return [pickled[start : start + PIECE_BYTES] for start in range(0, len(pickled), PIECE_BYTES)]


def _same(piece: bytes) -> bytes:
    return piece


def _called(payload: list[bytes], part: Any, *own: Any) -> Any:
    import cloudpickle
    from distributed import get_worker

    function = cloudpickle.loads(b"".join(payload))
    return function(part, get_worker().state.nthreads, *own)
