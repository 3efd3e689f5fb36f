"""Warnings that point to the caller's line."""

from __future__ import annotations

import sys
import warnings


def warn_caller(message: str) -> None:
    """Warn where the package was called from, however deep the cause was found."""
    package, level = __name__.split(".")[0], 2
    frame = sys._getframe(1)
    # Between them are the frames of decorators.
    while frame.f_back is not None:
        level, frame = level + 1, frame.f_back
        name = frame.f_globals.get("__name__", "")
        if name.split(".")[0] not in (package, "contextlib", "sklearn"):
            break
    warnings.warn(message, UserWarning, stacklevel=level)
