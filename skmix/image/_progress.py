"""How far a long pass over an image is."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from .._interface.wording import truth

# Seconds from one printed line to the next.
LINE_INTERVAL = 2.0


class Progress:
    """A bar where rich is installed, otherwise a line every two seconds; silent unless `verbose`.

    Parameters
    ----------
    what : str
        What is being done.
    verbose : bool
        Whether to say anything.
    """

    def __init__(self, what: str, verbose: bool):
        self._what = what
        self._verbose = verbose
        self._done = self._total = 0
        self._bar: Any = None

    def __enter__(self) -> Progress:
        self._start = self._line = perf_counter()
        if truth(self._verbose, "verbose"):
            self._bar = _rich_bar()
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=None)
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._verbose and exception[0] is None:
            print(f"{self._what}: done in {perf_counter() - self._start:.1f} s", flush=True)

    def expect(self, n_steps: int) -> None:
        """Expect so many steps more."""
        self._total += n_steps
        if self._bar is not None:
            self._bar.update(self._task, total=self._total)

    def advance(self, n_steps: int) -> None:
        """Note that so many steps are done."""
        self._done += n_steps
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)
        elif self._verbose and perf_counter() - self._line > LINE_INTERVAL:
            self._line = perf_counter()
            print(f"{self._what}: {self._done / self._total:.0%}", flush=True)


def _rich_bar() -> Any:
    """A bar of rich, which scikit-learn's ProgressBar uses too; None where it is not installed."""
    try:
        from rich.progress import Progress as RichProgress
    except ImportError:
        return None
    return RichProgress()
