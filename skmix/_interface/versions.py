"""Pickles that know which version of skmix wrote them."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from ..exceptions import InconsistentVersionWarning, user_level

KEY = "_skmix_version"


class VersionedMixin:
    """Writes the version into pickles of an estimator, and warns when another one reads them."""

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {**state, KEY: _version()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        written_by = state.pop(KEY, "unknown")
        if written_by != _version():
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_skmix_version=_version(),
                    original_skmix_version=written_by,
                ),
                stacklevel=user_level(),
            )
        super().__setstate__(state)  # type: ignore[misc]


def _version() -> str:
    return sys.modules[__package__.partition(".")[0]].__version__
