"""Tables of what components are, for people to read."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._interface.wording import truth
from .covariance_types import family_in_units
from .fitted import FittedMixture


class Line(NamedTuple):
    """A parameter of a column in all components."""

    column: str
    label: Any  # None where the parameter is the column's only one
    values: np.ndarray  # (n_components,)
    errors: np.ndarray | None = None  # (n_components,), their standard errors


class Style(NamedTuple):
    """What components and parameters are called, and how numbers are written."""

    each: str = "component"
    label: str = "parameter"
    width: int = 13  # of a number without its error
    probabilities: bool = False  # whether all numbers are, so that three decimals will do


COMPONENTS = Style()


def column_names(mixture: Any, n_features: int) -> list[str]:
    """Return what the columns of a fitted mixture are called."""
    default = [f"column {j}" for j in range(n_features)]
    return [str(name) for name in getattr(mixture, "feature_names_in_", default)]


def show(lines: list[Line], style: Style = COMPONENTS, *, as_frame: bool) -> Any:
    """Return lines as text, or as a pandas DataFrame with a row for each."""
    every = range(len(lines[0].values))
    heads = [f"{style.each} {k}" for k in every]
    errors = [line.errors for line in lines if line.errors is not None]  # of all lines, or none
    if truth(as_frame, "as_frame"):
        import pandas as pd

        keys = [(line.column, "" if line.label is None else line.label) for line in lines]
        index = pd.MultiIndex.from_tuples(keys, names=["column", style.label])
        table = np.stack([line.values for line in lines])
        if errors:
            table = np.concatenate([table, np.stack(errors)], axis=1)
            heads += [f"standard error {k}" for k in every]
        return pd.DataFrame(table, index=index, columns=heads)
    cell = style.width + (len(" (0.000)") if errors else 0)
    width = max(16, *(max(len(line.column), 2 + len(str(line.label))) for line in lines))
    text, above = [" " * width + "".join(f"{head:>{cell}}" for head in heads)], ""
    for line in lines:
        if line.column != above and line.label is not None:
            text.append(line.column)
        name = line.column if line.label is None else f"  {line.label}"
        text.append(f"{name:{width}}" + "".join(f"{c:>{cell}}" for c in _cells(line, style)))
        above = line.column
    return "\n".join(text)


def _cells(line: Line, style: Style) -> list[str]:
    """Return numbers with three decimals, or four digits where they are all large or small."""
    largest = np.max(np.abs(line.values))
    plain = style.probabilities or largest == 0 or 1e-2 <= largest < 1e5
    cells = [f"{value:.3f}" if plain else f"{value:.4g}" for value in line.values]
    if line.errors is None:
        return cells
    return [f"{cell} ({error:.3f})" for cell, error in zip(cells, line.errors, strict=True)]


class GaussianReport(FittedMixture):
    """Adds `report` to a Gaussian mixture."""

    def report(self, as_frame=False):
        """Return the parameters of every column in every component, in units of the table.

        Parameters
        ----------
        as_frame : bool, default=False
            Whether to return a pandas DataFrame instead of text.

        Returns
        -------
        report : str or DataFrame
            A line, or row, with the weights of the components, and two for every column with its
            means and standard deviations. Components come in order of decreasing weight.

        Raises
        ------
        ImportError
            If `as_frame` is true and pandas is not installed.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmix import GaussianMixture
        >>> X = pd.DataFrame({"height": [160.0, 162.0, 164.0, 180.0, 184.0]})
        >>> print(GaussianMixture(2, random_state=0).fit(X).report())
                          component 0  component 1
        weight                  0.600        0.400
        height
          mean                162.000      182.000
          std                   1.633        2.000
        """
        check_is_fitted(self)
        family, params = family_in_units(self)
        deviations = np.sqrt(family.variances(params))
        order = np.argsort(-params.weights, kind="stable")
        names = column_names(self, params.means.shape[1])
        lines = [Line("weight", None, params.weights[order])]
        for name, means, stds in zip(names, params.means.T, deviations.T, strict=True):
            lines += [Line(name, "mean", means[order]), Line(name, "std", stds[order])]
        return show(lines, as_frame=as_frame)
