"""A mixture as the prior of complete patches, made fast: cheap gates, few candidates, one filter.

A full pass of 200 components costs more than all else. A patch therefore meets the components in a
few directions first, which tell most of them apart, and only the likeliest of them in full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

# Directions in which all components are compared, and how many of them are compared in full.
N_DIRECTIONS = 24
N_CANDIDATES = 8
# Rows that one thread gates at a time.
CHUNK_ROWS = 2048

# Calls a function with every item, on all threads there are.
ForEach = Callable[[Callable[[Any], None], Iterable[Any]], None]


@dataclass(frozen=True, eq=False)
class PatchMixture:
    """The density of clean patches as rows (n_features,)."""

    weights: np.ndarray  # (n_components,)
    means: np.ndarray  # (n_components, n_features)
    covariances: np.ndarray  # (n_components, n_features, n_features)

    @cached_property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues (n_components, n_features) and eigenvectors of the covariances."""
        values, vectors = np.linalg.eigh(self.covariances)
        return np.maximum(values, 0.0), vectors.astype(np.float32)

    @property
    def typical_std(self) -> float:
        """The root of the mean variance of pixels of clean patches."""
        return float(np.sqrt(self.weights @ self.axes[0].mean(axis=1)))

    @classmethod
    def of(cls, prior: Any) -> PatchMixture:
        """Return the mixture of a denoiser that has one."""
        mixture = prior.mixture_
        family, params = mixture._dense_family()
        n_components, n_features = mixture.means_.shape
        covariances = np.asarray(family.covariances(family.from_frame(params)), dtype=np.float64)
        covariances = covariances.reshape(-1, n_features, n_features)
        covariances = np.broadcast_to(covariances, (n_components, n_features, n_features))
        return cls(np.asarray(mixture.weights_), np.asarray(mixture.means_), covariances)


class Gates:
    """Tells which component a noisy patch is of, and restores it by that one's filter.

    Parameters
    ----------
    mixture : PatchMixture
    noise_std : float
        Of every pixel, positive.
    for_each : ForEach
    """

    def __init__(self, mixture: PatchMixture, noise_std: float, for_each: ForEach) -> None:
        self.for_each = for_each
        self.noise_variance = noise_std**2
        self.means = mixture.means.astype(np.float32)
        values, self.vectors = mixture.axes
        noisy = values + self.noise_variance
        log_weights = np.log(np.maximum(mixture.weights, 1e-300))
        self.constants = (log_weights - 0.5 * np.log(noisy).sum(axis=1)).astype(np.float32)
        self.precisions = (1.0 / noisy).astype(np.float32)
        # What a filter takes away, direction by direction.
        self.taken = (self.noise_variance / noisy).astype(np.float32)
        self._prepare_screen(mixture, log_weights)

    def _prepare_screen(self, mixture: PatchMixture, log_weights: np.ndarray) -> None:
        """Make densities linear in few features: some directions, the rest of them all alike."""
        n_features = mixture.means.shape[1]
        n_directions = min(N_DIRECTIONS, n_features)
        overall = np.tensordot(mixture.weights, mixture.covariances, 1)
        basis = np.linalg.eigh(overall)[1][:, -n_directions:]
        self.directions = basis.astype(np.float32)
        inside = basis.T @ mixture.covariances @ basis
        inside += self.noise_variance * np.eye(n_directions)
        n_rest = n_features - n_directions
        total = mixture.axes[0].sum(axis=1) + n_features * self.noise_variance
        rest = (total - np.trace(inside, axis1=1, axis2=2)) / max(n_rest, 1)
        rest = np.maximum(rest, self.noise_variance)
        precisions = np.linalg.inv(inside)
        centres = mixture.means @ basis
        linear = np.einsum("kij,kj->ki", precisions, centres)
        constants = log_weights - 0.5 * np.linalg.slogdet(inside)[1]
        constants -= 0.5 * (n_rest * np.log(rest) + np.sum(linear * centres, axis=1))
        # The upper triangle of a quadratic form, entries off the diagonal counting twice.
        i, j = np.triu_indices(n_directions)
        quadratic = precisions[:, i, j] * np.where(i == j, -0.5, -1.0)
        parts = [quadratic, linear, -0.5 / rest[:, None], constants[:, None]]
        self.screen = np.concatenate(parts, axis=1).T.astype(np.float32)

    def _screen_features(self, rows: np.ndarray) -> np.ndarray:
        z = rows @ self.directions
        features = np.empty((len(rows), len(self.screen)), dtype=np.float32)
        first = 0
        for i in range(z.shape[1]):
            stop = first + z.shape[1] - i
            np.multiply(z[:, i : i + 1], z[:, i:], out=features[:, first:stop])
            first = stop
        features[:, first:-2] = z
        squares = np.einsum("ij,ij->i", rows, rows) - np.einsum("ij,ij->i", z, z)
        features[:, -2] = np.maximum(squares, 0.0)
        features[:, -1] = 1.0
        return features

    def candidates(self, rows: np.ndarray, n_candidates: int = N_CANDIDATES) -> np.ndarray:
        """Return the likeliest components (n, n_candidates) of rows, in no order."""
        n_components = len(self.means)
        if n_components <= n_candidates:
            return np.tile(np.arange(n_components, dtype=np.int16), (len(rows), 1))
        found = np.empty((len(rows), n_candidates), dtype=np.int16)

        def screen(start: int) -> None:
            some = slice(start, start + CHUNK_ROWS)
            scores = self._screen_features(rows[some]) @ self.screen
            best = np.argpartition(scores, -n_candidates, axis=1)
            found[some] = best[:, -n_candidates:]

        self.for_each(screen, range(0, len(rows), CHUNK_ROWS))
        return found

    def log_joint(self, rows: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Return log weight plus log density of rows under their candidates, up to a constant."""
        log_joint = np.empty(candidates.size, dtype=np.float32)
        n_candidates = candidates.shape[1]

        def compare(of_component: tuple[int, np.ndarray]) -> None:
            k, entries = of_component
            z = (rows[entries // n_candidates] - self.means[k]) @ self.vectors[k]
            np.square(z, out=z)
            with np.errstate(over="ignore"):  # too far to tell by how much
                log_joint[entries] = self.constants[k] - 0.5 * (z @ self.precisions[k])

        self.for_each(compare, by_component(candidates.ravel(), len(self.means)))
        return log_joint.reshape(candidates.shape)

    def filtered(self, rows: np.ndarray, k: int) -> np.ndarray:
        """Return the posterior means of rows (n, n_features) if they are of this component."""
        z = (rows - self.means[k]) @ self.vectors[k]
        z *= self.taken[k]
        return rows - z @ self.vectors[k].T

    def best(self, rows: np.ndarray) -> np.ndarray:
        """Return the most probable component (n,) of each row."""
        candidates = self.candidates(rows)
        best = np.argmax(self.log_joint(rows, candidates), axis=1)
        return np.take_along_axis(candidates, best[:, None], axis=1)[:, 0]

    def restore(self, rows: np.ndarray) -> np.ndarray:
        """Return the posterior means of rows given their most probable component."""
        labels = self.best(rows)
        restored = np.empty_like(rows)

        def restore_component(of_component: tuple[int, np.ndarray]) -> None:
            k, entries = of_component
            restored[entries] = self.filtered(rows[entries], k)

        self.for_each(restore_component, by_component(labels, len(self.means)))
        return restored


def by_component(labels: np.ndarray, n_components: int) -> list[tuple[int, np.ndarray]]:
    """Return the components that occur, each with the places of its labels."""
    order = np.argsort(labels, kind="stable")
    edges = np.searchsorted(labels[order], np.arange(n_components + 1)).tolist()
    return [
        (k, order[edges[k] : edges[k + 1]]) for k in range(n_components) if edges[k] < edges[k + 1]
    ]
