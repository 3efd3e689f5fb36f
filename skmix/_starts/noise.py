"""Starts of Gaussian mixtures with a component of constant density, without a guess of the noise.

Rows in clusters have nearer neighbours than rows in between: distances to the k-th neighbour are
those of two Poisson processes, whose rates EM finds (S. Byers, A. E. Raftery, 1998,
:doi:`10.1080/01621459.1998.10473711`). The Gaussians start on the rows of the denser one. Several
numbers of neighbours compete with the guess that there is little noise, or none, and the
likelihood decides.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from .._engine.em import em, expect, predict
from .._families import GaussianParams, WithUniform, WithUniformParams
from .._rows.sources import ArraySource, Source
from . import sampling, search
from .gaussian import FINER, GaussianStarts
from .runs import weights_of
from .spikes import on_few_rows

# Numbers of neighbours that tell noise, and the share of sparse rows that is tried beside them.
NEIGHBOURS, SHARE = (8, 20), 0.1
LEAST_WEIGHT = 0.01  # of the noise, at a start
ROWS = 4000  # that starts look at
# Distances concentrate in many dimensions: a power beyond this tells nothing more.
MOST_DIMENSIONS = 10
ITERATIONS = 100  # of the two processes, and of the runs that compete


class NoiseStarts(NamedTuple):
    """Where runs of EM start, and what compares where they ended: see `GaussianStarts`."""

    gaussians: GaussianStarts

    def start(
        self,
        source: Source,
        family: WithUniform,
        given: dict[str, Any],
        random_state: np.random.RandomState,
    ) -> tuple[WithUniformParams, np.ndarray]:
        """Return parameters, those `given` among them, and components that were moved."""
        noise, given = given.get("noise"), {k: v for k, v in given.items() if k != "noise"}
        if noise is not None and len(given) == len(GaussianParams._fields):
            return _with_noise(family, GaussianParams(**given), noise), np.empty(0, dtype=int)
        few = self._few_rows(source, random_state)
        best: Any = None
        error: ValueError | None = None
        with few.source:
            own = family.bound_to(few.source).forgiving(search.LEAST_VARIANCE)
            for clean in _guesses(few, self.gaussians.n_components):
                start = self._start_on(few, own, clean, given, random_state)
                try:
                    params = self._advanced(few.source, own, start[0])
                except ValueError as failure:
                    error = failure
                    continue
                rank = self._judge(few, own, params)
                if best is None or rank > best[0]:
                    best = rank, params, *start
        if best is None:
            assert error is not None  # there is always a guess
            raise error
        _, params, start_params, moved = best
        if given:  # which the short run has left
            params = start_params
        return params, moved

    def second_try(self, *args: Any) -> None:
        """Return None: components that die leave their rows to the noise."""
        return None

    def rank(
        self,
        source: Source,
        family: WithUniform,
        params: WithUniformParams,
        lower_bound: float,
    ) -> tuple[bool, float]:
        """Return what compares fits to the same rows, as `GaussianStarts.rank` does."""
        few = self._few_rows(source, np.random.RandomState(0))
        with few.source:
            own = family.bound_to(few.source)
            plain, bound = self._judge(few, own, params)
            return plain, lower_bound + bound - self._bound(few.source, own, params)

    def is_flattered(self, source: Source, family: WithUniform, params: WithUniformParams) -> bool:
        """Whether a likelihood is no guide, as `GaussianStarts.is_flattered` says."""
        if self.gaussians.n_components == 1:
            return False
        few = self._few_rows(source, np.random.RandomState(0))
        with few.source:
            own = family.bound_to(few.source)
            spread = few.rounding / own.frame.scale**2
            share = own.gaussians.largest_share(params.gaussians, spread)
            finer = np.broadcast_to(share > FINER, len(params.weights) - 1)
            return bool(finer.any()) or not self._judge(few, own, params)[0]

    def _few_rows(self, source: Source, random_state: np.random.RandomState) -> sampling.FewRows:
        few = sampling.few_rows(source, self.gaussians.n_components, random_state)
        return few.first(ROWS) if few.complete else few

    def _start_on(
        self,
        few: sampling.FewRows,
        family: WithUniform,
        clean: np.ndarray,
        given: dict[str, Any],
        random_state: np.random.RandomState,
    ) -> tuple[WithUniformParams, np.ndarray]:
        """Start the Gaussians on some of the rows."""
        weight = weights_of(few.source)
        rows = np.flatnonzero(clean)
        X, own_weight = few.source.X[rows], weight[rows]
        with ArraySource(X, own_weight, incomplete=few.source.incomplete) as source:
            gaussians = family.gaussians.bound_to(source)
            params, moved = self.gaussians.start(source, gaussians, given, random_state)
        noise = max(1.0 - own_weight.sum() / weight.sum(), LEAST_WEIGHT)
        return _with_noise(family, params, noise), moved

    def _advanced(
        self, source: Source, family: WithUniform, params: WithUniformParams
    ) -> WithUniformParams:
        tol, n_iter = max(self.gaussians.tol, search.SEARCH_TOL), self.gaussians.max_iter
        return em(
            source,
            family,
            params,
            tol=tol,
            max_iter=min(n_iter, ITERATIONS),
            hard=self.gaussians.hard,
        ).params

    def _judge(
        self, few: sampling.FewRows, family: WithUniform, params: WithUniformParams
    ) -> tuple[bool, float]:
        """Return whether no component is a spike, and the bound at the resolution of the rows."""
        gaussians, own = family.gaussians, params.gaussians
        rounding = few.rounding / family.frame.scale**2
        coarse = params
        if np.any(rounding > 0):
            covariances = gaussians.covariances(own).copy()
            covariances = gaussians.add_to_variances(covariances, rounding)
            factored = gaussians.factor(covariances)
            coarse = family.params(
                params.weights, GaussianParams(own.weights, own.means, *factored)
            )
        bound = round(self._bound(few.source, family, coarse), search.DIGITS)
        if gaussians.bounded:
            return True, bound
        n_gaussians = len(own.weights)
        labels = predict(few.source, family, params)
        members = labels < n_gaussians
        most = (few.source.n_features + 1) * few.share
        weight = weights_of(few.source)
        spikes = on_few_rows(labels[members], weight[members], n_gaussians, most)
        return not spikes.any(), bound

    def _bound(self, source: Source, family: WithUniform, params: WithUniformParams) -> float:
        form = family.prepare(params, source.dtype)
        return expect(source, form, hard=self.gaussians.hard)[0] / source.total_weight


def _with_noise(family: WithUniform, params: GaussianParams, noise: float) -> WithUniformParams:
    """Return Gaussians of these relative weights beside noise of this weight."""
    own = params.weights / params.weights.sum()
    return family.params(np.append((1.0 - noise) * own, noise), params)


def _guesses(few: sampling.FewRows, n_components: int) -> list[np.ndarray]:
    """Return masks of rows that may be no noise, in two and more ways."""
    X, weight = few.filled.X.astype(np.float64, copy=False), weights_of(few.filled)
    n_rows, n_features = X.shape
    spread = X.std(axis=0)
    z = X / np.where(spread > 0, spread, 1.0)
    guesses = [np.ones(n_rows, dtype=bool)]
    for n_neighbours in NEIGHBOURS:
        if n_rows <= 2 * n_neighbours:
            break
        distances = _distances(z, weight, n_neighbours)
        guesses.append(_denser(distances, weight, n_neighbours, n_features))
        order = np.argsort(distances, kind="stable")
        mass = np.cumsum(weight[order])
        near = np.zeros(n_rows, dtype=bool)
        near[order[mass <= (1.0 - SHARE) * mass[-1]]] = True
        guesses.append(near)
    fewest = max(2, n_components, min(n_components * (n_features + 1), n_rows // 2))
    kept: list[np.ndarray] = []
    for guess in guesses:
        differs = all(np.mean(guess != other) > 1e-2 for other in kept)
        if differs and guess.sum() >= fewest:
            kept.append(guess)
    return kept or guesses[:1]


def _distances(z: np.ndarray, weight: np.ndarray, n_neighbours: int) -> np.ndarray:
    """Return distances to the k-th neighbour; a row of weight w is as many rows."""
    near, places = cKDTree(z).query(z, n_neighbours + 1)
    reached = np.cumsum(weight[places], axis=1) >= n_neighbours + 1
    last = np.where(reached.any(axis=1), np.argmax(reached, axis=1), n_neighbours)
    return near[np.arange(len(z)), last]


def _denser(
    distances: np.ndarray, weight: np.ndarray, n_neighbours: int, n_features: int
) -> np.ndarray:
    """Mask of rows of the denser of two Poisson processes, by distances to the k-th neighbour.

    A power of these that is proportional to volumes has a gamma distribution in each.
    """
    positive = distances > 0
    if not positive.any():
        return np.ones(len(distances), dtype=bool)
    power = min(n_features, MOST_DIMENSIONS)
    scaled = np.maximum(distances / np.median(distances[positive]), 1e-20)
    volumes = np.minimum(scaled, 1e20) ** power
    dense = np.where(volumes < np.median(volumes), 1.0, 0.0)
    for _ in range(ITERATIONS):
        before = dense
        resp = np.stack([dense, 1.0 - dense]) * weight
        counts = np.maximum(resp.sum(axis=1), 1e-300)
        rates = n_neighbours * counts / np.maximum(resp @ volumes, 1e-300)
        log_odds = np.log(counts[0] / counts[1]) + n_neighbours * np.log(rates[0] / rates[1])
        log_odds = log_odds - (rates[0] - rates[1]) * volumes
        dense = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -500.0, 500.0)))
        if np.abs(dense - before).max() < 1e-6:
            break
    return dense > 0.5
