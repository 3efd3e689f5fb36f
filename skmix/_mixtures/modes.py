"""Modes of a Gaussian mixture, and the rows that climb to each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._engine import em, few_rows, posteriors
from .._families import GaussianFamily, GaussianParams
from .._rows.sources import ArraySource
from .._rows.threads import one_blas_thread
from .density import GaussianDensity

# Points nearer than this are one mode, in standard deviations of the components there; and a
# climb that enters this neighbourhood of a mode has arrived.
NEAR = 1e-2
# A climb has come to rest where a step is this short, in the same unit.
AT_REST = 1e-6
POLISHED = 1e-10
MOST_STEPS, MOST_POLISHING, MOST_PUSHES = 5000, 100, 5
# Rows that climb side by side hold so many numbers.
VALUES = 2**20


class Modes(NamedTuple):
    """Modes of a mixture, and what climbs to each of them."""

    points: np.ndarray  # (n_modes, n_features), densest first
    log_density: np.ndarray  # (n_modes,), nats
    components: np.ndarray  # (n_components,), the mode that each mean climbs to
    labels: np.ndarray | None  # (n_samples,), the mode that each row climbs to, -1 for noise


class GaussianModes(GaussianDensity):
    """Adds the modes of the density."""

    @one_blas_thread()
    def modes(self, X=None):
        r"""Return the modes of the density, and the one that every row climbs to.

        Components say how a density is made, modes how many bumps it has: a cluster of a bent
        or skewed shape takes several components, but has one mode.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), default=None
            Rows to be assigned to modes, NaN where a cell is missing: these climb from the
            expectation of the missing cells given the observed ones. None finds the modes alone.

        Returns
        -------
        modes : Modes
            A named tuple of `points`, the modes (n_modes, n_features) in units of `X`, densest
            first; their `log_density` (n_modes,) in nats; `components`, the mode that the mean
            of each component climbs to (n_components,); and `labels`, the mode that each row
            climbs to (n_samples,), -1 for rows that are noise, None without `X`.

        See Also
        --------
        merge_components : Clusters of components that overlap.
        score_gradient : The slope of the log density, 0 at a mode.

        Notes
        -----
        A step of modal EM from :math:`x` is :math:`(\sum_k r_k \Sigma_k^{-1})^{-1} \sum_k r_k
        \Sigma_k^{-1} \mu_k` with the responsibilities :math:`r_k(x)`; the density never falls.
        Climbs start from all means and from all rows, so that without `X` modes that no mean
        climbs to are not found; in one feature there are none. A climb that comes to rest on a
        saddle is pushed off. Points within a hundredth of a standard deviation of the
        components there count as one mode. The cost of a step is about n K d² + n d³ operations
        where components have matrices of their own, and n K d otherwise.

        References
        ----------
        L. Scrucca, "A fast and efficient modal EM algorithm for Gaussian mixtures", Statistical
        Analysis and Data Mining 14(4), 2021. :doi:`10.1002/sam.11527`

        J. Li, S. Ray, B. G. Lindsay, "A nonparametric statistical approach to clustering via mode
        identification", Journal of Machine Learning Research 8, 2007.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters(
        ...     [0.4, 0.3, 0.3], [[0.0], [1.0], [9.0]], [[[1.0]]] * 3
        ... )
        >>> modes = gm.modes([[-2.0], [3.0], [8.0]])
        >>> modes.points.round(2)
        array([[0.41],
               [9.  ]])
        >>> modes.components, modes.labels
        (array([0, 0, 1]), array([0, 0, 1]))
        """
        check_is_fitted(self)
        rows = None if X is None else self._validate_rows(X)
        family, params = self._fitted_gaussians()
        landscape = Landscape(family, params)
        frame = family.frame
        points, ends = landscape.modes_from(params.means, np.empty((0, params.means.shape[1])))
        own = climbed = np.empty(0, dtype=int)
        if rows is not None:
            own = np.flatnonzero(self._score_rows(em.predict, rows) >= 0)  # the others are noise
        if rows is not None and len(own):
            with ArraySource(rows[own]) as source:
                filled, _ = posteriors.impute(source, family, params, return_std=False)
            starts = np.empty(filled.shape[::-1])
            frame.enter(filled, out=starts)
            points, climbed = landscape.modes_from(starts.T, points)
        log_density = landscape.log_density(points) - np.log(frame.scale).sum()
        order = np.argsort(-log_density, kind="stable")
        place = np.argsort(order)
        points = points[order] * frame.scale + frame.reference
        labels = None
        if rows is not None:
            labels = np.full(len(rows), -1)
            labels[own] = place[climbed]
        return Modes(
            points.astype(np.asarray(self.means_).dtype),
            self._score_rows(em.score_samples, points),
            place[ends],
            labels,
        )


class Landscape:
    """The density of a Gaussian mixture in the coordinates of its parameters, to be climbed."""

    def __init__(self, family: GaussianFamily, params: GaussianParams) -> None:
        self.family, self.params = family, params
        self.n_components, n_features = params.means.shape
        precisions = family.precisions(params.precisions_cholesky)
        n_values = n_features
        if family.dense:
            shape = (self.n_components, n_features, n_features)
            self.precisions = np.broadcast_to(precisions, shape)
            self.pulls = np.einsum("kij,kj->ki", self.precisions, params.means)
            n_values = n_features**2
        else:
            of_each = precisions.reshape(self.n_components, -1)
            self.precisions = np.broadcast_to(of_each, params.means.shape)
            self.pulls = self.precisions * params.means
        self.piece = max(1, VALUES // (n_values + self.n_components * n_features))

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Return the log density (n,) of points (n, n_features)."""
        return few_rows.score_samples(self._log_prob(points), np.float64)

    def _log_prob(self, points: np.ndarray) -> Any:
        return self.family.log_prob_of_few(self.params, points)

    def step(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where a step of modal EM leads, and how far, in standard deviations."""
        resp = few_rows.predict_proba(self._log_prob(points), np.float64)
        precision = self._mean_precision(resp)
        if self.family.shared_covariance:
            there = resp @ self.params.means
        elif self.family.dense:
            there = np.linalg.solve(precision, (resp @ self.pulls)[..., None])[..., 0]
        else:
            there = (resp @ self.pulls) / precision
        return there, _lengths(there - points, precision)

    def _mean_precision(self, resp: np.ndarray) -> np.ndarray:
        flat = self.precisions.reshape(self.n_components, -1)
        return (resp @ flat).reshape(len(resp), *self.precisions.shape[1:])

    def distances(self, points: np.ndarray, mode: np.ndarray) -> np.ndarray:
        """Return how far points are from a mode, in standard deviations of components there."""
        resp = few_rows.predict_proba(self._log_prob(mode[None]), np.float64)
        return _lengths(points - mode, self._mean_precision(resp))

    def modes_from(self, starts: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Climb from points; return known and new modes, and the index of each point's."""
        modes = list(known)
        labels = np.full(len(starts), -1)
        for first in range(0, len(starts), self.piece):
            self._climb(starts[first : first + self.piece], modes, labels[first:])
        return np.array(modes).reshape(-1, starts.shape[1]), labels

    def _climb(self, starts: np.ndarray, modes: list[np.ndarray], labels: np.ndarray) -> None:
        points, moving = starts.copy(), np.arange(len(starts))
        for n_steps in range(MOST_STEPS):
            points[moving], lengths = self.step(points[moving])
            at_rest = lengths < AT_REST
            if n_steps % 4 == 0 or at_rest.any():
                self._arrive(points, moving, modes, labels)
                self._settle(points, moving[at_rest], modes, labels)
                moving = moving[labels[moving] < 0]
            if len(moving) == 0:
                return
        self._settle(points, moving, modes, labels)

    def _arrive(self, points: np.ndarray, moving: np.ndarray, modes: list, labels: Any) -> None:
        """Label the points that are near a mode."""
        for i, mode in enumerate(modes):
            pending = moving[labels[moving] < 0]
            near = self.distances(points[pending], mode) < NEAR
            labels[pending[near]] = i

    def _settle(self, points: np.ndarray, at_rest: np.ndarray, modes: list, labels: Any) -> None:
        """Label points at rest, of which each may have found a new mode."""
        for i in at_rest.tolist():
            if labels[i] >= 0:
                continue
            top = self.top(points[i])
            apart = [self.distances(top[None], mode)[0] for mode in modes]
            if not apart or min(apart) >= NEAR:
                modes.append(top)
                apart.append(0.0)
            labels[i] = int(np.argmin(apart))
            self._arrive(points, at_rest, modes, labels)

    def top(self, point: np.ndarray) -> np.ndarray:
        """Return the mode that a point at rest is near, not a saddle."""
        for _ in range(MOST_PUSHES):
            point = self._polish(point)
            curvature, direction = self._largest_curvature(point)
            if curvature <= 0:
                return point
            sides = point + np.outer([NEAR, -NEAR], direction)
            point = sides[np.argmax(self.log_density(sides))]
            for _ in range(MOST_STEPS):
                (point,), (length,) = self.step(point[None])
                if length < AT_REST:
                    break
        return point

    def _polish(self, point: np.ndarray) -> np.ndarray:
        """Go on by Newton's steps where these lead higher than those of modal EM."""
        for _ in range(MOST_POLISHING):
            (there,), (length,) = self.step(point[None])
            if length < POLISHED:
                return there
            gradient, hessian = self._derivatives(point)
            newton = point - np.linalg.lstsq(hessian, gradient)[0]
            both = np.stack([there, newton])
            point = both[np.argmax(self.log_density(both))]
        return point

    def _derivatives(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gradient and Hessian of the log density at one point."""
        resp = few_rows.predict_proba(self._log_prob(point[None]), np.float64)[0]
        matrices = self.precisions
        if not self.family.dense:
            matrices = matrices[:, :, None] * np.eye(len(point))
        slopes = np.einsum("kij,kj->ki", matrices, self.params.means - point)
        gradient = resp @ slopes
        hessian = (slopes.T * resp) @ slopes - np.outer(gradient, gradient)
        return gradient, hessian - np.einsum("k,kij->ij", resp, matrices)

    def _largest_curvature(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the largest curvature in units of the mean precision, and its direction."""
        resp = few_rows.predict_proba(self._log_prob(point[None]), np.float64)
        precision = self._mean_precision(resp)[0]
        if not self.family.dense:
            precision = np.diag(precision)
        root = np.linalg.inv(np.linalg.cholesky(precision)).T
        values, vectors = np.linalg.eigh(root.T @ self._derivatives(point)[1] @ root)
        return float(values[-1]) - 1e-9, root @ vectors[:, -1]


def _lengths(steps: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Return lengths of steps (n, d) in the metric of precisions (n or 1, d, d) or (n or 1, d)."""
    if precision.ndim == 3:
        moved = np.matmul(precision, steps[..., None])[..., 0]
    else:
        moved = precision * steps
    return np.sqrt(np.maximum(np.sum(moved * steps, axis=1), 0.0))
