"""Faults on purpose: errors at any line of a task, and files with any bytes changed."""

import linecache
import sys
import threading
import warnings

import numpy as np
import threadpoolctl
from oracles import peak_memory


def lines(task):
    """How many lines of skmix a task runs in this thread."""
    seen = [0]
    _traced(task, lambda: seen.__setitem__(0, seen[0] + 1))
    return seen[0]


def interrupted(task, error, line):
    """Run a task that an error ends at its line of that number."""
    left = [line]

    def count():
        left[0] -= 1
        if left[0] == 0:
            raise error

    _traced(task, count)


def _traced(task, at_line):
    def trace(frame, event, argument):
        module = frame.f_globals.get("__name__", "")
        if not module.startswith("skmix") or module == "skmix._rows.threads":
            return None  # what counts open sources holds a lock
        if event == "line" and not _begins_context(frame):
            at_line()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        task()
    finally:
        sys.settrace(before)


def _begins_context(frame):
    """Whether the line is that of a `with`, at whose end Python looks for no interrupt."""
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    return text.lstrip().startswith("with ")


def surroundings():
    """What a fit must leave as it was: limits of threads, filters of warnings, worker threads."""
    limits = [(info["filepath"], info["num_threads"]) for info in threadpoolctl.threadpool_info()]
    return limits, list(warnings.filters), np.geterr(), threading.active_count()


def damaged(content, rng):
    """Return a file with bytes cut off, changed, added or repeated."""
    content, kind = bytearray(content), rng.integers(4)
    if kind == 0:
        return bytes(content[: rng.integers(len(content))])
    if kind == 1:
        for place in rng.integers(len(content), size=rng.integers(1, 5)):
            content[place] ^= 1 << rng.integers(8)
    elif kind == 2:
        place = int(rng.integers(len(content)))
        content[place:place] = rng.bytes(int(rng.integers(1, 2000)))
    else:  # in headers, where sizes are
        place = int(rng.integers(min(400, len(content))))
        content[place : place + 4] = rng.bytes(4)
    return bytes(content)


def load_damaged(load, content, path, rng):
    """Load such a file: whether it was refused, and the memory beyond what it may take.

    An error other than ValueError is raised.
    """
    found = damaged(content, rng)
    path.write_bytes(found)
    refused = []

    def task():
        try:
            load(path)
        except ValueError:
            refused.append(True)

    beyond = peak_memory(task) - 2 * len(found)
    return bool(refused), beyond
