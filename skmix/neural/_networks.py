"""Feed-forward networks in numpy: what a fit leaves behind, and all that a prediction needs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from .._interface.wording import naming

LEAK = 0.2  # slope of the leaky activation for negative numbers


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0, out=x)


def _leaky_relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, LEAK * x, out=x)


def _tanh(x: np.ndarray) -> np.ndarray:
    return np.tanh(x, out=x)


def _logistic(x: np.ndarray) -> np.ndarray:
    return expit(x, out=x)


# By scikit-learn's names; each overwrites what it is given.
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "tanh": _tanh,
    "logistic": _logistic,
}


# Their slopes, in terms of the activated units.
SLOPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda units: units > 0,
    "leaky_relu": lambda units: np.where(units > 0, 1, LEAK).astype(units.dtype),
    "tanh": lambda units: 1 - units**2,
    "logistic": lambda units: units * (1 - units),
}


class Network(NamedTuple):
    """Layers of a network: rows times matrices, with an activation between them."""

    coefs: list[np.ndarray]  # (n_in, n_out) each
    intercepts: list[np.ndarray]  # (n_out,) each
    activation: str

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of units, from the inputs to the outputs."""
        return (*(len(coef) for coef in self.coefs), len(self.intercepts[-1]))

    def astype(self, dtype: Any) -> Network:
        """Return the network in the type of the rows that it is to see."""
        return Network(
            [coef.astype(dtype, copy=False) for coef in self.coefs],
            [intercept.astype(dtype, copy=False) for intercept in self.intercepts],
            self.activation,
        )

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return the outputs, before any activation of theirs, (n_samples, n_outputs)."""
        return self.layers(X)[-1]

    def layers(self, X: np.ndarray) -> list[np.ndarray]:
        """Return the inputs of every layer, that is activated units, and the outputs."""
        activate = ACTIVATIONS[self.activation]
        found = [X]
        for layer, (coef, intercept) in enumerate(zip(self.coefs, self.intercepts, strict=True)):
            if layer > 0:
                activate(X)  # an array of our own
            X = X @ coef
            X += intercept
            found.append(X)
        return found

    def gradient(self, layers: list[np.ndarray], slopes: np.ndarray) -> np.ndarray:
        """Return the slopes of a function of the outputs, by the inputs that `layers` began with.

        `slopes` are those by the outputs, (n_samples, n_outputs).
        """
        for coef, units in zip(self.coefs[:0:-1], layers[-2:0:-1], strict=True):
            slopes = slopes @ coef.T
            slopes *= SLOPES[self.activation](units)
        return slopes @ self.coefs[0].T


class Units(NamedTuple):
    """What leads from the units of the data to those in which networks compute, and back."""

    offset: np.ndarray  # (n_features,)
    scale: np.ndarray  # (n_features,), 0 for columns that are constant

    def forth(self, X: np.ndarray) -> np.ndarray:
        """Return rows in units of the networks, in the type that they have."""
        scale = np.where(self.scale > 0, self.scale, 1.0)
        return ((X - self.offset) / scale).astype(X.dtype, copy=False)

    def back(self, X: np.ndarray) -> np.ndarray:
        """Return rows in units of the data, in the type that they have."""
        return (X * self.scale + self.offset).astype(X.dtype, copy=False)


def random_network(
    sizes: Sequence[int], activation: str, random_state: np.random.RandomState
) -> Network:
    """Draw weights evenly within one over the square root of a unit's inputs, as PyTorch does."""
    coefs, intercepts = [], []
    for n_in, n_out in itertools.pairwise(sizes):
        bound = 1.0 / np.sqrt(n_in)
        coefs.append(random_state.uniform(-bound, bound, (n_in, n_out)).astype(np.float32))
        intercepts.append(random_state.uniform(-bound, bound, n_out).astype(np.float32))
    return Network(coefs, intercepts, activation)


def given_network(layers: Any, activation: str, name: str) -> Network:
    """Check a pair of lists, of matrices and of intercepts, and return them as a network."""
    with naming(name, "a pair of lists, of matrices and of intercepts"):
        coefs, intercepts = layers
        coefs = [np.asarray(coef, dtype=np.float32) for coef in coefs]
        intercepts = [np.asarray(intercept, dtype=np.float32) for intercept in intercepts]
    if not coefs or len(coefs) != len(intercepts):
        raise ValueError(
            f"{name} must be a pair of lists of equal length, matrices and intercepts, but has "
            f"{len(coefs)} and {len(intercepts)}."
        )
    n_inputs = len(coefs[0])
    for layer, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        if coef.ndim != 2 or intercept.shape != coef.shape[1:] or len(coef) != n_inputs:
            raise ValueError(
                f"Layer {layer} of {name} must have a matrix of shape ({n_inputs}, n_outputs) and "
                f"intercepts of shape (n_outputs,), but has {coef.shape} and {intercept.shape}."
            )
        n_inputs = len(intercept)
    return Network(coefs, intercepts, activation)
