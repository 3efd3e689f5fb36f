"""Gaussian components and one of constant density, for rows that belong to none of them.

The density of the last component is that of a uniform distribution over a box around the rows of
the fit (J. D. Banfield, A. E. Raftery, 1993, :doi:`10.2307/2532201`). It is fixed before EM; only
its weight is learned. The engine sees one more component, the Gaussians nothing of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np

from .._rows.sources import Chunk, Scratch, Source
from .._rows.threads import one_blas_thread
from .frame import Frame
from .gaussian import DEAD_SHARE, GaussianFamily
from .gaussian_form import GaussianForm, GaussianParams, GaussianStatistics, log_of_weights
from .protocols import concession_of, magnitude_of

# A direction in which rows do not vary is as long as a uniform distribution with this share of the
# mean variance of all, or with what regularisation adds to it.
LEAST_SHARE = 1e-6


class Box(NamedTuple):
    """A parallelepiped in the units of the rows."""

    corner: np.ndarray  # (n_features,)
    edges: np.ndarray  # (n_features, n_features), one per row

    @classmethod
    def of_source(cls, source: Source, frame: Frame, least: np.ndarray) -> Self:
        """Return the smaller of the bounding box and the box along principal axes.

        Principal axes are those of standardised columns, so that the choice depends on no unit.
        Rows with missing cells have a bounding box only.

        Parameters
        ----------
        source : Source
            The rows.

        frame : Frame
            Measured on these rows.

        least : ndarray of shape (n_features,)
            The least variance that a column is taken to have.
        """
        d = source.n_features
        variances = frame.variances
        floor = np.maximum(least, LEAST_SHARE * np.where(variances > 0, variances, 0.0))
        floor = np.where(floor > 0, floor, max(LEAST_SHARE * variances.mean(), LEAST_SHARE))
        scale = np.sqrt(np.maximum(variances, floor))
        reference, shortest = frame.reference, np.sqrt(12.0 * floor) / scale
        axes = np.eye(d)
        bounding = _extent(source, reference, scale, axes, shortest)
        if d == 1 or source.incomplete:
            return cls._along(axes, bounding, reference, scale)
        axes = np.linalg.eigh(_scatter(source, reference, scale))[1].T
        principal = _extent(source, reference, scale, axes, np.full(d, shortest.max()))
        sizes = [float(np.log(length).sum()) for _, length in (bounding, principal)]
        if sizes[1] < sizes[0]:
            return cls._along(axes, principal, reference, scale)
        return cls._along(np.eye(d), bounding, reference, scale)

    @classmethod
    def _along(cls, axes: np.ndarray, extent: Any, reference: Any, scale: np.ndarray) -> Self:
        low, length = extent
        return cls(reference + (low @ axes) * scale, length[:, None] * axes * scale)

    @property
    def array(self) -> np.ndarray:
        """Return corner and edges as one array (n_features + 1, n_features)."""
        return np.concatenate([self.corner[None], self.edges])

    @property
    def log_volume(self) -> float:
        """Logarithm of the volume, the same on any number of threads."""
        with one_blas_thread():
            return float(np.linalg.slogdet(self.edges)[1])

    @property
    def low(self) -> np.ndarray:
        """Return the least value of every column (n_features,) in the box."""
        return self.corner + np.minimum(self.edges, 0.0).sum(axis=0)

    @property
    def lengths(self) -> np.ndarray:
        """Return how far the box extends in every column (n_features,)."""
        return np.abs(self.edges).sum(axis=0)

    def of_features(self, features: np.ndarray) -> Self:
        """Return the box of some features, that of rows whose other cells are missing.

        It is the same box where none is left out, and along the columns otherwise.
        """
        if len(features) == len(self.corner):
            return type(self)(self.corner[features], self.edges[:, features])
        return type(self)(self.low[features], np.diag(self.lengths[features]))

    def draw(self, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
        """Draw rows uniformly."""
        return self.corner + rng.random_sample((n_samples, len(self.corner))) @ self.edges


class WithUniformParams(NamedTuple):
    """Parameters of Gaussian components and of one of constant density."""

    weights: np.ndarray  # (n_components + 1,), the last of the constant density
    gaussians: GaussianParams  # whose weights are copies


class WithUniformStatistics(NamedTuple):
    """Sums over the rows."""

    counts: np.ndarray  # (n_components + 1,)
    gaussians: GaussianStatistics


class WithUniformForm:
    """One pass over the rows at fixed parameters; see :class:`~skmix._families.Form`."""

    parts_per_row = 1

    def __init__(self, form: GaussianForm, params: WithUniformParams, box: Box) -> None:
        self.form, self._params, self._box = form, params, box
        self.n_gaussians, self.n_components = form.n_components, form.n_components + 1
        self.dtype = form.dtype
        self.bytes_per_row = form.bytes_per_row + 2 * self.dtype.itemsize
        self.min_chunk_rows = form.min_chunk_rows
        self.row_term_total: Any = form.row_term_total
        self._log_weight = float(log_of_weights(params.weights, self.dtype)[-1])
        self._log_volume, self._log_lengths = box.log_volume, np.log(box.lengths)

    def features(self, X: np.ndarray, scratch: Scratch) -> tuple[Any, Any]:
        """Return the features of the Gaussians, and the log volume that the rows share."""
        return self.form.features(X, scratch), self._log_volumes(X)

    def _log_volumes(self, X: np.ndarray) -> Any:
        """Return the log volume; of the observed cells where cells are missing."""
        if not self.form.incomplete:
            return self._log_volume
        missing = np.isnan(X)
        complete = ~missing.any(axis=1)
        return np.where(complete, self._log_volume, ~missing @ self._log_lengths)

    def log_density(self, features: Any, out: np.ndarray, scratch: Scratch) -> None:
        """Write log weight + log density, less the row term."""
        own, log_volume = features
        self.form.log_density(own, out[:-1], scratch)
        np.subtract(self._log_weight - log_volume, self.form.row_term(own, scratch), out=out[-1])

    def finer(self, peak: np.ndarray) -> WithUniformForm | None:
        """Return a form with finer Gaussians where these say so."""
        finer = self.form.finer(peak)
        return None if finer is None else WithUniformForm(finer, self._params, self._box)

    def row_term(self, features: Any, scratch: Scratch) -> Any:
        """Return the part of the log density that the Gaussians share."""
        return self.form.row_term(features[0], scratch)

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for the weight of the last component, and what the Gaussians sum."""
        return [np.zeros(1), *self.form.zeros()]

    def add(
        self, totals: list[np.ndarray], features: Any, resp: np.ndarray, scratch: Scratch
    ) -> None:
        """Add a chunk's statistics."""
        totals[0] += resp[-1].sum(dtype=np.float64)
        self.form.add(totals[1:], features[0], resp[:-1], scratch)

    def statistics(self, totals: list[np.ndarray]) -> WithUniformStatistics:
        """Name the summed arrays."""
        gaussians = self.form.statistics(totals[1:])
        return WithUniformStatistics(np.append(gaussians.counts, totals[0]), gaussians)

    def posterior(self, features: Any, resp: np.ndarray, *, with_variance: bool) -> Any:
        """Return means and variances (n_features, n) of the missing cells."""
        noise = resp[-1]
        clean = np.maximum(resp[:-1].sum(axis=0), np.finfo(np.float64).tiny)
        form: Any = self.form
        mean, variance = form.posterior(
            features[0], resp[:-1] / clean, with_variance=with_variance
        )
        frame = form.family.frame
        lengths = (self._box.lengths / frame.scale)[:, None]
        centre = ((self._box.low - frame.reference) / frame.scale)[:, None] + 0.5 * lengths
        both = (1.0 - noise) * mean + noise * centre
        if variance is not None:
            variance = (1.0 - noise) * (variance + (mean - both) ** 2)
            variance += noise * (lengths**2 / 12.0 + (centre - both) ** 2)
        return both, variance

    def score_gradient(self, X: np.ndarray, features: Any, resp: np.ndarray) -> np.ndarray:
        """Return the gradient of the log density, to which what is constant adds nothing."""
        form: Any = self.form
        return form.score_gradient(X, features[0], resp[:-1])

    def draw(self, k: int, z: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Draw the missing cells of rows z (n_features, n) from the k-th component."""
        form: Any = self.form
        if k < self.n_gaussians:
            return form.draw(k, z, rng)
        low, lengths = self._box.low[:, None], self._box.lengths[:, None]
        frame = form.family.frame
        drawn = low + lengths * rng.random_sample(z.shape)
        return (drawn - frame.reference[:, None]) / frame.scale[:, None]


class WithUniform:
    """Gaussian components and one of constant density; see :class:`~skmix._families.Family`.

    Parameters
    ----------
    gaussians : GaussianFamily

    box : Box
        Over which the constant density integrates to 1, in the units of the rows. Rows beyond it
        have the same density: they belong to no Gaussian either.
    """

    def __init__(self, gaussians: GaussianFamily, box: Box) -> None:
        self.gaussians, self.box = gaussians, box

    @property
    def frame(self) -> Frame:
        """The coordinates of the Gaussians' parameters."""
        return self.gaussians.frame

    def without_uniform(self, params: WithUniformParams) -> tuple[GaussianFamily, GaussianParams]:
        """Return the Gaussians alone, whose weights then sum to less than 1."""
        return self.gaussians, params.gaussians

    def with_gaussians(self, gaussians: GaussianFamily) -> WithUniform:
        """Return the same with other Gaussians."""
        return WithUniform(gaussians, self.box)

    def params(self, weights: np.ndarray, gaussians: GaussianParams) -> WithUniformParams:
        """Return parameters with these weights, the last that of the constant density."""
        return WithUniformParams(weights, gaussians._replace(weights=weights[:-1]))

    # What the engine asks of a family ---------------------------------------------------------

    def prepare(self, params: WithUniformParams, dtype: Any) -> WithUniformForm:
        """Prepare the Gaussians."""
        form = self.gaussians.prepare(params.gaussians, dtype)
        return WithUniformForm(self._summing(form, params), params, self.box)

    def _summing(self, form: GaussianForm, params: WithUniformParams) -> GaussianForm:
        """Return a form whose sums leave out rows of no Gaussian.

        Where all components share one covariance, the moment form takes the scatter of all rows.
        """
        if not (self.gaussians.shared_covariance and form.moment_form):
            return form
        everything = np.ones(self.gaussians.n_components(params.gaussians), dtype=bool)
        own = self.gaussians.with_noise(params.gaussians)
        return type(form)(
            self.gaussians, own, dtype=np.float64, centred=everything, about=own.means
        )

    def maximize(
        self, params: WithUniformParams, statistics: WithUniformStatistics
    ) -> WithUniformParams:
        """Let the Gaussians maximise by the rows that are theirs."""
        counts = statistics.counts
        clean, total = counts[:-1].sum(), counts.sum()
        if not clean > DEAD_SHARE * total:
            raise ValueError(
                "The noise component took all rows: no Gaussian component is denser than a "
                "uniform density over all of them. Use noise=False, another start, or other "
                "columns."
            )
        family = copy.copy(self.gaussians)
        family.total_weight = clean
        gaussians = family.maximize(params.gaussians, statistics.gaussians)
        noise = counts[-1] if counts[-1] > DEAD_SHARE * total else 0.0
        weights = np.append(gaussians.weights * clean, noise)
        return self.params(weights / weights.sum(), gaussians)

    def refine(self, params: Any, form: Any, statistics: Any, new_params: Any) -> Any:
        """Return a form that repeats the sums more accurately where the Gaussians ask for it."""
        new = None if new_params is None else new_params.gaussians
        if new is None and not statistics.counts[:-1].sum() > 0:
            return None
        finer = self.gaussians.refine(params.gaussians, form.form, statistics.gaussians, new)
        return None if finer is None else WithUniformForm(finer, params, self.box)

    def forms_for_scoring(
        self, params: WithUniformParams, dtype: Any
    ) -> Callable[[np.ndarray], WithUniformForm]:
        """Return a function from a chunk to a form that is accurate for it."""
        form_of = self.gaussians.forms_for_scoring(params.gaussians, dtype)
        return lambda X: WithUniformForm(form_of(X), params, self.box)

    def concession(self, params: Any, update: Any, total_weight: float) -> float:
        """Return by how much regularisation lets an update lower the likelihood."""
        share = float(update.weights[:-1].sum())
        before, after = (
            own.gaussians._replace(weights=own.gaussians.weights / own.gaussians.weights.sum())
            for own in (params, update)
        )
        return share * concession_of(self.gaussians, before, after, share * total_weight)

    def magnitude(self, params: WithUniformParams, source: Any) -> float:
        """Return the mean size of the terms of a log density (nats)."""
        return magnitude_of(self.gaussians, params.gaussians, source) + abs(self.box.log_volume)

    def n_components(self, params: WithUniformParams) -> int:
        """Return the number of components, that of constant density included."""
        return len(params.weights)

    def n_parameters(self, params: WithUniformParams) -> int:
        """Return the number of free parameters: the weight and the volume are two more."""
        return self.gaussians.n_parameters(params.gaussians) + 2

    def sample(
        self, params: WithUniformParams, component: int, n_samples: int, rng: Any
    ) -> np.ndarray:
        """Draw rows of one component, in the units of the rows."""
        if component == len(params.weights) - 1:
            return self.box.draw(n_samples, rng)
        return self.gaussians.sample(params.gaussians, component, n_samples, rng)

    # What estimators and starts ask -----------------------------------------------------------

    def bound_to(self, source: Any) -> WithUniform:
        """Return the family that knows what is constant over a fit to the rows of a source."""
        return self.with_gaussians(self.gaussians.bound_to(source))

    def forgiving(self, least_variance: float) -> WithUniform:
        """Return a family in which a component that collapses is no error."""
        return self.with_gaussians(self.gaussians.forgiving(least_variance))


def _scatter(source: Source, reference: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return the weighted scatter of standardised rows about their mean."""
    d = len(scale)

    def zeros() -> list[np.ndarray]:
        return [np.zeros(d), np.zeros((d, d))]

    def add(chunk: Chunk, totals: list[np.ndarray], scratch: Scratch) -> None:
        z = (chunk.X - reference) / scale
        weight = np.ones(len(z)) if chunk.sample_weight is None else chunk.sample_weight
        totals[0] += weight @ z
        totals[1] += (z * weight[:, None]).T @ z

    first, second = source.reduce(add, zeros, 24 * d)
    return second - np.outer(first, first) / source.total_weight


def _extent(
    source: Source,
    reference: np.ndarray,
    scale: np.ndarray,
    axes: np.ndarray,
    shortest: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return where standardised rows begin along every axis (n_features,), and how far they go."""
    aligned = np.array_equal(axes, np.eye(len(axes)))

    def say(chunk: Chunk, scratch: Scratch) -> tuple[np.ndarray, np.ndarray]:
        z = (chunk.X - reference) / scale
        if not aligned:
            z = z @ axes.T
        return np.fmin.reduce(z), np.fmax.reduce(z)

    lows, highs = zip(*source.gather(say, 24 * len(scale)), strict=True)
    low, high = np.fmin.reduce(lows), np.fmax.reduce(highs)
    length = np.maximum(high - low, shortest)
    return 0.5 * (low + high - length), length
