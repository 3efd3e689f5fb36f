"""Zero-mean Gaussian components that differ in scale only, and products of such mixtures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._rows.sources import MIN_CHUNK_ROWS, Scratch
from .gaussian import DEAD_SHARE
from .gaussian_form import LOG_2PI, log_of_weights

# Its inverse is finite in float32 too.
SMALLEST_VARIANCE = 1e-30


class ScaleParams(NamedTuple):
    """Parameters of scale mixtures; one column per source."""

    weights: np.ndarray  # (n_components, n_sources), columns sum to 1
    variances: np.ndarray  # (n_components, n_sources), squared scales


class ScaleStatistics(NamedTuple):
    """Sums over rows, weighted by responsibilities; they add."""

    counts: np.ndarray  # (n_components, n_sources)
    squares: np.ndarray  # (n_components, n_squares)


class ScaleFamily:
    """Mixtures of N(0, r_k² Λ) with a known diagonal shape Λ, seen through known noise.

    A row holds squares, or what `rotation` turns into coordinates to be squared. With one source
    they are squares of the coordinates of one vector, all of which share their component;
    coordinates of equal shape and noise may come as one sum of squares, so that without noise a
    row is a single number. With several sources each square is a vector of its own, with its own
    component: the density is a product of mixtures.

    Parameters
    ----------
    shape : ndarray of shape (n_squares,)
        Diagonal of Λ.

    multiplicity : ndarray of shape (n_squares,)
        The number of coordinates in each sum of squares.

    noise_variance : ndarray of shape (n_squares,)
        Variance of the noise in each coordinate.

    n_sources : int, default=1
        1, or the number of squares.

    reg_variance : float, default=0.0
        Added to every squared scale.

    rotation : ndarray of shape (n_features, n_squares), default=None
        From rows, less `origin`, to coordinates; None where rows hold squares already.

    origin : ndarray of shape (n_features,), default=None
    """

    def __init__(
        self,
        shape: Any,
        multiplicity: Any,
        noise_variance: Any,
        n_sources: Any = 1,
        *,
        reg_variance: Any = 0.0,
        rotation: Any = None,
        origin: Any = None,
    ) -> None:
        self.shape = np.asarray(shape, dtype=np.float64)
        self.multiplicity = np.asarray(multiplicity, dtype=np.float64)
        self.noise_variance = np.asarray(noise_variance, dtype=np.float64)
        self.n_sources = n_sources
        self.reg_variance = reg_variance
        self.rotation = rotation
        self.origin = origin

    def observed_variances(self, params: ScaleParams) -> np.ndarray:
        """Variances of the noisy coordinates, (n_components, n_squares)."""
        return params.variances * self.shape + self.noise_variance

    def prepare(self, params: ScaleParams, dtype: Any) -> ScaleForm:
        """Compute the coefficients of the squares."""
        return ScaleForm(self, params, dtype)

    def maximize(self, params: ScaleParams, statistics: ScaleStatistics) -> ScaleParams:
        """Return the most likely weights and scales; a component without rows keeps its scale.

        With gain g = r²λ / (r²λ + ν) the expected clean square is g² y² + g ν; without noise
        r_k² is the weighted mean of xᵀ Λ⁻¹ x / d.
        """
        counts = statistics.counts
        weights = counts / counts.sum(axis=0)
        dead = weights <= DEAD_SHARE
        observed = self.observed_variances(params)
        # Divided by λ: finite where λ is zero.
        gain = params.variances / observed
        clean = gain**2 * self.shape * statistics.squares
        clean += self.multiplicity * counts * gain * self.noise_variance
        n_coordinates = self.multiplicity
        if self.n_sources == 1:
            clean, n_coordinates = clean.sum(axis=1, keepdims=True), n_coordinates.sum()
        variances = clean / (n_coordinates * np.where(dead, 1.0, counts))
        variances = np.maximum(variances, SMALLEST_VARIANCE) + self.reg_variance
        variances = np.where(dead, params.variances, variances)
        return ScaleParams(np.where(dead, 0.0, weights), variances)

    def concession(self, params: ScaleParams, update: ScaleParams, total_weight: float) -> float:
        """Return by how much regularisation lets an update lower the likelihood (nats per row)."""
        n_coordinates = self.multiplicity
        if self.n_sources == 1:
            n_coordinates = n_coordinates.sum()
        penalties = 1.0 / params.variances - 1.0 / update.variances
        return 0.5 * self.reg_variance * float(np.sum(n_coordinates * update.weights * penalties))

    def magnitude(self, params: ScaleParams, source: Any) -> float:
        """Return the mean size of the terms of a log density (nats)."""
        sizes = 1.0 + np.abs(np.log(self.observed_variances(params)))
        return float(np.max(sizes @ self.multiplicity))

    def refine(self, params: Any, form: Any, statistics: Any, new_params: Any) -> None:
        """Sums of squares about zero need no refinement."""
        return None

    def forms_for_scoring(
        self, params: ScaleParams, dtype: Any
    ) -> Callable[[np.ndarray], ScaleForm]:
        """Return a function from a chunk to a form."""
        form = self.prepare(params, dtype)
        return lambda X: form

    def n_components(self, params: ScaleParams) -> int:
        """Return the number of components."""
        return len(params.weights)

    def sample(
        self, params: ScaleParams, component: int, n_samples: int, rng: np.random.RandomState
    ) -> np.ndarray:
        """Draw coordinates of one component, without noise."""
        deviations = np.sqrt(params.variances[component] * self.shape)
        return deviations * rng.standard_normal((n_samples, len(self.shape)))

    def n_parameters(self, params: ScaleParams) -> int:
        """Return the number of free parameters."""
        return (2 * len(params.weights) - 1) * self.n_sources


class ScaleForm:
    """One pass over rows of squares: see :class:`~skmix._families.Form`."""

    def __init__(self, family: ScaleFamily, params: ScaleParams, dtype: Any) -> None:
        self.family = family
        self.params = params
        self.dtype = np.dtype(dtype)
        self.n_components = len(params.weights)
        self.parts_per_row = family.n_sources
        self.bytes_per_row = self.dtype.itemsize * (
            self.n_components * self.parts_per_row + 3 * len(family.shape)
        )
        self.min_chunk_rows = MIN_CHUNK_ROWS
        self.row_term_total = 0.0
        observed = family.observed_variances(params)
        self.slopes = (-0.5 / observed).astype(self.dtype)
        constants = -0.5 * family.multiplicity * (LOG_2PI + np.log(observed))
        if family.n_sources == 1:
            constants = constants.sum(axis=1, keepdims=True)
        log_weights = log_of_weights(params.weights.ravel(), self.dtype)
        self.constants = constants + log_weights.reshape(params.weights.shape)

    def features(self, X: np.ndarray, scratch: Scratch) -> np.ndarray:
        """Return the squares as columns (n_squares, n_chunk)."""
        squares = scratch.array("features", (len(self.family.shape), len(X)), self.dtype)
        if self.family.rotation is None:
            squares[:] = X.T
            return squares
        centred = scratch.array("centred", X.shape, self.dtype)
        np.subtract(X, self.family.origin.astype(self.dtype), out=centred)
        np.matmul(self.family.rotation.T.astype(self.dtype), centred.T, out=squares)
        return np.multiply(squares, squares, out=squares)

    def log_density(self, features: np.ndarray, out: np.ndarray, scratch: Scratch) -> None:
        """Write log weight + log density; (n_components, n_sources n_chunk) with sources."""
        if self.parts_per_row == 1:
            np.matmul(self.slopes, features, out=out)
            out += self.constants.astype(self.dtype)
            return
        out = out.reshape(self.n_components, *features.shape)
        np.multiply(self.slopes[:, :, None], features, out=out)
        out += self.constants.astype(self.dtype)[:, :, None]

    def finer(self, peak: np.ndarray) -> None:
        """Components differ so much far out that rounding does not matter."""
        return None

    def row_term(self, features: np.ndarray, scratch: Scratch) -> float:
        """Components share no part of the log density."""
        return 0.0

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for counts and weighted squares."""
        squares = np.zeros((self.n_components, len(self.family.shape)))
        return [np.zeros(self.params.weights.shape), squares]

    def add(
        self, totals: list[np.ndarray], features: np.ndarray, resp: np.ndarray, scratch: Scratch
    ) -> None:
        """Add responsibilities, and responsibilities times squares."""
        counts, squares = totals
        if self.parts_per_row == 1:
            counts += resp.sum(axis=1, keepdims=True, dtype=np.float64)
            squares += resp @ features.T
            return
        resp = resp.reshape(self.n_components, *features.shape)
        counts += resp.sum(axis=2, dtype=np.float64)
        squares += np.einsum("kjn,jn->kj", resp, features)

    def statistics(self, totals: list[np.ndarray]) -> ScaleStatistics:
        """Name the sums."""
        return ScaleStatistics(*totals)


def spread_scales(typical: np.ndarray, n_components: int) -> ScaleParams:
    """A start: equal weights, variances spread about the `typical` ones (n_sources,)."""
    spread = np.geomspace(0.02, 4.0, n_components) if n_components > 1 else np.ones(1)
    variances = spread[:, None] * np.maximum(typical, SMALLEST_VARIANCE)
    return ScaleParams(np.full(variances.shape, 1.0 / n_components), variances)
