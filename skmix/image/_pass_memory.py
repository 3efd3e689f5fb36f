"""What one pass over an image tells the next one of the components around each patch."""

from __future__ import annotations

import numpy as np

from ._patch_mixture import Around
from ._visitor import Corners

# The side of a part of an image, in patches.
PART = 24


class PassMemory:
    """Components of the patches of the pass before, by where the patches are.

    Passes differ in how much noise they expect and in where their grids of patches begin. But few
    patches are of a component that none of the four nearest of the pass before was of.
    """

    def __init__(self) -> None:
        self._rows = self._columns = np.empty(0, dtype=np.intp)
        self._components: np.ndarray | None = None
        self._strips: list[tuple[Corners, np.ndarray]] = []

    def begin_pass(self) -> None:
        """Look back on the pass that ends here from now on."""
        if not self._strips:
            return
        self._rows = np.concatenate([at[0].ravel() for at, _ in self._strips])
        self._columns = self._strips[0][0][1].ravel()
        parts = [
            found.reshape(-1, len(self._columns), found.shape[1]) for _, found in self._strips
        ]
        self._components, self._strips = np.concatenate(parts), []

    def around(self, at: Corners) -> Around | None:
        """Return what is around the patches of a strip; None in a first pass."""
        if self._components is None:
            return None
        rows, columns = _nearest(self._rows, at[0]), _nearest(self._columns, at[1])
        found = [self._components[i[:, None], j] for i in rows for j in columns]
        n_rows, n_columns = at[0].size, at[1].size
        parts = np.add.outer(
            np.arange(n_rows) // PART * -(-n_columns // PART), np.arange(n_columns) // PART
        )
        components = np.concatenate(found, axis=2).reshape(n_rows * n_columns, -1)
        return Around(components, parts.ravel())

    def keep(self, at: Corners, components: np.ndarray) -> None:
        """Keep components (n, n_components) of the patches of a strip for the next pass."""
        self._strips.append((at, components))


def _nearest(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places before which ascending ones are now, and those after."""
    after = np.searchsorted(before, now.ravel(), side="right")
    return np.maximum(after - 1, 0), np.minimum(after, len(before) - 1)
