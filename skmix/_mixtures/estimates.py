"""The parameters of a mixture as tables: which parameter, of which column, in which component."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment


class Estimate(NamedTuple):
    """The parameters of one kind in all components."""

    name: str  # as of the attribute, without its underscore
    each: str  # what one of them is called
    values: np.ndarray  # (n_components, n_values)
    labels: list[tuple[Any, Any]]  # per value its column and category, None where there is none
    pieces: int = 0  # how many arrays the attribute is a list of; 0 where it is one array
    component: int | None = None  # what the only value is of, where it is none of the components'

    def ordered(self, order: np.ndarray) -> Estimate:
        """Return the same with the components in another order."""
        return self._replace(values=self.in_order(self.values, order))

    def in_order(self, values: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Return values (..., n_components, n_values) of components in another order."""
        return values if self.component is not None else values[..., order, :]

    def components(self) -> list[int]:
        """Return what the values are of, by their first axis."""
        return list(range(len(self.values))) if self.component is None else [self.component]

    def shaped(self, values: np.ndarray) -> Any:
        """Return values (..., n_components, n_values) as the attribute has them."""
        if self.component is not None:
            return values[..., 0, 0]
        if self.labels == [(None, None)]:
            return values[..., 0]
        if self.pieces == 0:
            return values
        columns = [column for column, _ in self.labels]
        cuts = [j for j in range(1, len(columns)) if columns[j] != columns[j - 1]]
        return np.split(values, cuts, axis=-1)


def of_weights(weights: np.ndarray) -> Estimate:
    """Return the weights of the components."""
    return Estimate("weights", "weight", np.asarray(weights)[:, None], [(None, None)])


def of_mixture(name: str, each: str, value: float, component: int) -> Estimate:
    """Return a parameter that there is once, told apart from the components' by a number."""
    return Estimate(name, each, np.array([[value]]), [(None, None)], component=component)


def of_columns(name: str, each: str, values: np.ndarray, columns: list[str]) -> Estimate:
    """Return one parameter per column (n_components, n_columns)."""
    return Estimate(name, each, np.asarray(values), [(column, None) for column in columns])


def of_categories(tables: list[np.ndarray], known: list[np.ndarray], columns: list[str]) -> Any:
    """Return the probabilities of the categories of every column."""
    labels = [
        (column, category)
        for column, values in zip(columns, known, strict=True)
        for category in values.tolist()
    ]
    values = np.concatenate(tables, axis=1)
    return Estimate("probabilities", "probability", values, labels, len(tables))


def of_params(params: Any) -> list[Estimate]:
    """Return the fields of any parameters that have one entry per component."""
    found = [of_weights(params.weights)]
    n_components = len(params.weights)
    for name, value in params._asdict().items():
        array = np.asarray(value)
        if (
            name == "weights"
            or array.dtype.kind not in "fiu"
            or array.shape[:1] != (n_components,)
        ):
            continue
        places = list(np.ndindex(array.shape[1:]))
        labels = [(", ".join(map(str, place)) or None, None) for place in places]
        found.append(Estimate(name, name, array.reshape(n_components, -1), labels))
    return found


def matched(distances: np.ndarray) -> np.ndarray:
    """Return, for each of some components, the one of others that is nearest in all.

    `distances` (n_components, n_components) go from those in the rows to others in the columns.
    """
    return linear_sum_assignment(distances)[1]
