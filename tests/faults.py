"""Faults on purpose: errors at any line of a task, changed files, processes amid a fit."""

import io
import linecache
import multiprocessing
import pickle
import sys
import threading
import warnings
import zipfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import numpy as np
import threadpoolctl
from oracles import peak_memory

from skmix import Chunks, GaussianMixture


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
        if frame.f_code.co_name == "__exit__":
            return None  # what is interrupted while it closes stays open, everywhere in Python
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


class _Executed:
    """What leaves a mark if a pickle of it is read."""

    def __reduce__(self):
        return exec, ("import sys; sys.executed = True",)


def _npy(header, data=b"", version=b"\x01\x00"):
    size = len(header).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    return b"\x93NUMPY" + version + size + header + data


def _header(shape, descr="'<f8'"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()


def _pickled():
    stream = io.BytesIO()
    np.save(stream, np.array([_Executed()], dtype=object), allow_pickle=True)
    return stream.getvalue()


HOSTILE = [
    pickle.dumps(_Executed()),
    _pickled(),
    _npy(_header(f"({2**60},)")),
    _npy(_header(f"({2**62}, {2**62})")),
    _npy(_header(f"(0, {2**70})")),
    _npy(_header("(-1, -8)"), bytes(64)),
    _npy(_header("(2,)", "'|O'"), bytes(16)),
    _npy(_header("(2,)", "[('a', '<f8'), ('b', '|O')]"), bytes(48)),
    _npy(_header("(2,)", "'<U8'"), bytes(64)),
    _npy(_header("__import__('sys').__setattr__('executed', True)"), bytes(8)),
    _npy(b"(" * 9000),
    _npy(b"{" + b" " * 10_000_000, version=b"\x02\x00"),
    _npy(b"-" * 9000 + b"1"),
    b"",
    b"PK\x05\x06" + bytes(18),
    bytes(8_000_000),  # 8 kB where it is deflated
]


def hostile(content, rng, harm):
    """Return such a file with what is made to do harm in the place of an array."""
    if not content.startswith(b"PK"):
        return harm
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as good, zipfile.ZipFile(stream, "w") as bad:
        names = good.namelist()
        place = names[rng.integers(len(names))]
        for name in names:
            kept = name != place
            small = not kept and rng.random() < 0.5
            compression = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
            bad.writestr(name, good.read(name) if kept else harm, compression)
    return stream.getvalue()


def damaged(content, rng):
    """Return a file with bytes cut off, changed, added, or made to do harm."""
    content, kind = bytearray(content), rng.integers(6)
    if kind == 0:
        return bytes(content[: rng.integers(len(content))])
    if kind == 1:
        for place in rng.integers(len(content), size=rng.integers(1, 5)):
            content[place] ^= 1 << rng.integers(8)
    elif kind == 2:
        place = int(rng.integers(len(content)))
        content[place:place] = rng.bytes(int(rng.integers(1, 2000)))
    elif kind == 3:  # in headers, where sizes are
        place = int(rng.integers(min(400, len(content))))
        content[place : place + 4] = rng.bytes(4)
    elif kind == 4:
        content += bytes(int(rng.integers(1, 10 * len(content))))
    else:
        return hostile(bytes(content), rng, HOSTILE[rng.integers(len(HOSTILE))])
    return bytes(content)


def load_damaged(load, content, path, rng):
    """Load a damaged file: whether it was refused, and the memory beyond what it may take.

    An error other than ValueError is raised, and one where anything of the file was executed.
    """
    return _load(load, damaged(content, rng), path)


def load_hostile(load, content, path, rng, harm):
    """Do so with this in the place of an array."""
    return _load(load, hostile(content, rng, harm), path)


def _load(load, found, path):
    path.write_bytes(found)
    refused = []

    def task():
        try:
            load(path)
        except ValueError:
            refused.append(True)

    beyond = peak_memory(task) - 2 * len(found)
    if hasattr(sys, "executed"):
        del sys.executed
        raise AssertionError("the file was executed")
    return bool(refused), beyond


def load_chunk(path):
    """Read a file of rows as a fit does."""
    return [np.asarray(rows, dtype=np.float64) for rows in Chunks([path])]


def scores(X):
    """A small fit, to the bit."""
    return GaussianMixture(3, random_state=0).fit(X).score_samples(X).tobytes()


@contextmanager
def fitting(X):
    """Context in which another thread fits, again and again."""
    end = threading.Event()

    def fit():
        while not end.is_set():
            scores(X)

    thread = threading.Thread(target=fit)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def seen_in_child(X):
    """The scores that a child process finds, and its limits of BLAS threads before."""
    return blas_limits(), scores(X)


def blas_limits():
    found = threadpoolctl.threadpool_info()
    return [info["num_threads"] for info in found if info["user_api"] == "blas"]


def in_child(method, function, X):
    """What a child started by that method returns; an error where it hangs."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, X).result(timeout=120)
