"""Tables of what components are, for people to read."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Line(NamedTuple):
    """A parameter of a column in all components."""

    column: str
    label: Any  # "" where the parameter is the column's only one
    values: np.ndarray  # (n_components,)


def show(lines: list[Line], *, as_frame: bool) -> Any:
    """Return lines as text, or as a pandas DataFrame with a row for each."""
    heads = [f"component {k}" for k in range(len(lines[0].values))]
    if as_frame:
        import pandas as pd

        keys = [(line.column, line.label) for line in lines]
        index = pd.MultiIndex.from_tuples(keys, names=["column", "parameter"])
        return pd.DataFrame([line.values for line in lines], index=index, columns=heads)
    width = max(16, *(max(len(line.column), 2 + len(str(line.label))) for line in lines))
    text, above = [" " * width + "".join(f"{head:>13}" for head in heads)], ""
    for column, label, values in lines:
        if column != above and label != "":
            text.append(column)
        name = column if label == "" else f"  {label}"
        text.append(f"{name:{width}}" + "".join(f"{number:>13}" for number in _numbers(values)))
        above = column
    return "\n".join(text)


def _numbers(values: np.ndarray) -> list[str]:
    """Return numbers with three decimals, or four digits where they are all large or small."""
    largest = np.max(np.abs(values))
    plain = largest == 0 or 1e-2 <= largest < 1e5
    return [f"{value:.3f}" if plain else f"{value:.4g}" for value in values]
