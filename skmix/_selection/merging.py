"""From components to clusters: components that overlap are merged, one pair after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import entr
from sklearn.utils.validation import _num_samples

from .._engine import em
from .._interface.wording import check_fitted_argument
from .._mixtures.criteria import last_step, rows_of_last_step
from .._mixtures.fitted import FittedMixture

# Merges of clusters that hardly overlap are never suggested: those which lower the entropy by less
# than this per row of the smaller cluster (nats).
LEAST_OVERLAP = 0.2


@dataclass(frozen=True, eq=False, repr=False)
class MergedComponents:
    """Outcome of :func:`merge_components`.

    Attributes
    ----------
    mixture : estimator
        The mixture whose components were merged.

    n_components : int
        How many components were there to merge; one of weight 0 makes no cluster.

    n_clusters : int
        The suggested number of clusters.

    entropies : ndarray of shape (n_components,)
        Of the cluster probabilities of all rows, in nats, for 1, 2, ..., n_components clusters.

    merged_rows : ndarray of shape (n_components,)
        How many rows the merge to 1, 2, ... clusters brought together, by weight; 0 at the end.

    assignments : list of ndarray of shape (n_all_components,)
        The cluster of each component, for 1, 2, ..., n_components clusters; -1 where a component
        has weight 0.

    resp : ndarray of shape (n_samples, n_all_components)
        The probabilities of the components for the rows that were given; with noise, its
        probability is one more column, the last.
    """

    mixture: Any
    n_components: int
    n_clusters: int
    entropies: np.ndarray
    merged_rows: np.ndarray
    assignments: list[np.ndarray]
    resp: np.ndarray

    def components(self, n_clusters: int | None = None) -> np.ndarray:
        """Return the cluster of each component (n_all_components,); None takes `n_clusters`.

        Clusters are numbered in the order of their first components.
        """
        n_clusters = self.n_clusters if n_clusters is None else n_clusters
        if not 1 <= n_clusters <= self.n_components:
            raise ValueError(
                f"n_clusters must lie between 1 and the number of components, "
                f"{self.n_components}, but is {n_clusters}."
            )
        return self.assignments[n_clusters - 1]

    def proba(self, n_clusters: int | None = None) -> np.ndarray:
        """Return the cluster probabilities of the rows given, (n_samples, n_clusters).

        With noise, its probability is one more column, the last.
        """
        return _summed(self.resp, self.components(n_clusters))

    def labels(self, n_clusters: int | None = None) -> np.ndarray:
        """Return the most probable clusters of the rows given, (n_samples,); -1 is noise."""
        return self._most_probable(self.proba(n_clusters), n_clusters)

    def predict_proba(self, X: Any, n_clusters: int | None = None) -> np.ndarray:
        """Return the cluster probabilities of other rows, (n_samples, n_clusters)."""
        return _summed(self.mixture.predict_proba(X), self.components(n_clusters))

    def predict(self, X: Any, n_clusters: int | None = None) -> np.ndarray:
        """Return the most probable clusters of other rows, (n_samples,)."""
        return self._most_probable(self.predict_proba(X, n_clusters), n_clusters)

    def _most_probable(self, proba: np.ndarray, n_clusters: int | None) -> np.ndarray:
        labels = proba.argmax(axis=1)
        labels[labels > self.components(n_clusters).max()] = -1  # noise
        return labels

    def __repr__(self) -> str:
        groups = [np.flatnonzero(self.components() == g).tolist() for g in range(self.n_clusters)]
        return f"MergedComponents(n_clusters={self.n_clusters}, components={groups})"


def merge_components(mixture, X, sample_weight=None):
    r"""Merge components that overlap into clusters, by the entropy of their responsibilities.

    BIC chooses as many components as describe the density; a cluster that is not of the shape of
    one component takes several. From K components on, that pair is merged whose merger lowers the
    entropy of the responsibilities most, until one cluster is left. Density and likelihood stay
    as they are.

    Parameters
    ----------
    mixture : estimator
        A fitted mixture of any kind, also scikit-learn's, or a Pipeline that ends in one.

    X : array-like of shape (n_samples, n_features)
        The rows, as a rule those of the fit; cells may be missing where the mixture takes that.
        Rows that are entirely missing count nowhere.

    sample_weight : array-like of shape (n_samples,), default=None
        How often each row was seen.

    Returns
    -------
    merging : MergedComponents
        What to do with it:

        - `labels(n_clusters)` and `proba(n_clusters)`: clusters of the rows and their
          probabilities; `predict` and `predict_proba`: those of other rows.
        - `components(n_clusters)`: the cluster of each component.
        - `n_clusters`: the suggested number, which the methods take if none is given.
        - `entropies`: what it was read off, for 1, 2, ... clusters (nats).

    Raises
    ------
    TypeError
        If the mixture has no components to merge.

    See Also
    --------
    MergingDisplay : The entropy against the number of clusters.
    GaussianMixture.modes : Clusters by the bumps of the density.

    Notes
    -----
    The entropy of :math:`t_{ik}`, the probability of cluster k for row i, is
    :math:`-\sum_{ik} w_i t_{ik} \log t_{ik}`. Two lines that share a point are fitted to it as a
    function of the number of clusters, by least squares: where they meet, mergers begin to cost.
    That is `n_clusters`, but no merger of clusters that hardly overlap is suggested: one has to
    lower the entropy by at least 0.2 nats per row of the smaller cluster. Two normal components of
    equal size overlap so much when their means are less than 3.5 standard deviations apart. A
    single cluster is suggested for a single component only. Look at the curve, and at clusters.
    Where a mixture has a component for noise (`noise=True`), that is merged with none: its entropy
    is part of the sum for every number of clusters.

    The cost is n K² logarithms for n rows and K components.

    References
    ----------
    J.-P. Baudry, A. E. Raftery, G. Celeux, K. Lo, R. Gottardo, "Combining mixture components for
    clustering", Journal of Computational and Graphical Statistics 19(2), 2010.
    :doi:`10.1198/jcgs.2010.08111`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import GaussianMixture, merge_components
    >>> rng = np.random.default_rng(0)
    >>> cross = rng.normal(size=(400, 2)) * np.repeat([[3, 0.3], [0.3, 3]], 200, axis=0)
    >>> ball = rng.normal(size=(200, 2)) + [9, 9]
    >>> X = np.vstack([cross, ball])
    >>> mixture = GaussianMixture(3, random_state=0).fit(X)
    >>> merging = merge_components(mixture, X)
    >>> merging.n_clusters, np.bincount(merging.labels()).tolist() in ([400, 200], [200, 400])
    (2, True)
    >>> merging.proba(3).shape
    (600, 3)
    """
    check_fitted_argument(mixture, "mixture")
    inner, rows = last_step(mixture), rows_of_last_step(mixture, X)
    if not (hasattr(inner, "predict_proba") and hasattr(inner, "weights_")):
        raise TypeError(
            f"merge_components needs a fitted mixture with weights_ and predict_proba, such as "
            f"skmix.GaussianMixture, or a Pipeline that ends in one, but mixture is {mixture!r}."
        )
    if isinstance(inner, FittedMixture):
        rows = inner._validate_rows(rows)
        weight = inner._effective_weight(rows, sample_weight)
        resp = inner._score_rows(em.predict_proba, rows).astype(np.float64)
    else:
        weight = (
            np.ones(_num_samples(rows)) if sample_weight is None else np.asarray(sample_weight)
        )
        resp = inner.predict_proba(rows)
    alive = np.flatnonzero(np.asarray(inner.weights_) > 0)
    own = np.full(len(inner.weights_), -1)
    own[alive] = np.arange(len(alive))
    entropies, sizes, assignments = _merge(resp[:, alive], weight)
    noise = resp[:, len(own) :]
    entropies = entropies + weight @ entr(noise).sum(axis=1)
    every = [np.where(own < 0, -1, groups[own]) for groups in assignments]
    suggested = _suggest(entropies, sizes.min(axis=1))
    return MergedComponents(
        mixture, len(alive), suggested, entropies, sizes.sum(axis=1), every, resp
    )


def _merge(resp: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, list]:
    """Return what there is to know for 1, 2, ... clusters.

    The entropies, the sizes (n_components, 2) of the clusters that were merged to so many, and
    the clusters of the components.
    """
    n_components = resp.shape[1]
    clusters = [column.copy() for column in resp.T]
    terms = [float(weight @ entr(column)) for column in clusters]
    groups = np.arange(n_components)
    entropies, assignments = [sum(terms)], [groups]
    sizes = [(0.0, 0.0)]
    drops = np.full((n_components, n_components), -np.inf)

    def compare(k: int) -> None:
        for other in range(len(clusters)):
            if other != k:
                i, j = min(k, other), max(k, other)
                both = float(weight @ entr(clusters[i] + clusters[j]))
                drops[i, j] = terms[i] + terms[j] - both

    for k in range(n_components):
        compare(k)
    while len(clusters) > 1:
        i, j = (int(place) for place in np.unravel_index(np.argmax(drops), drops.shape))
        sizes.append((float(weight @ clusters[i]), float(weight @ clusters[j])))
        clusters[i] = clusters[i] + clusters.pop(j)
        terms.pop(j)
        terms[i] = float(weight @ entr(clusters[i]))
        drops = np.delete(np.delete(drops, j, axis=0), j, axis=1)
        compare(i)
        groups = np.where(groups == j, i, groups - (groups > j))
        entropies.append(sum(terms))
        assignments.append(groups)
    return np.array(entropies[::-1]), np.array(sizes[::-1]), assignments[::-1]


def elbow(entropies: np.ndarray, places: np.ndarray) -> int:
    """Return the number of clusters at which two fitted lines meet best."""

    def left_over(points: slice) -> float:
        line = np.polynomial.Polynomial.fit(places[points], entropies[points], 1)
        return float(np.sum((entropies[points] - line(places[points])) ** 2))

    knots = range(2, len(entropies))
    errors = [left_over(slice(0, knot)) + left_over(slice(knot - 1, None)) for knot in knots]
    return 2 + int(np.argmin(errors))


def _suggest(entropies: np.ndarray, smaller: np.ndarray) -> int:
    """Return the elbow, or the first number after it from which on clusters overlap."""
    n_components = len(entropies)
    suggested = min(n_components, 2)
    if n_components > 2:
        suggested = elbow(entropies, np.arange(1.0, n_components + 1))
    drops = np.diff(entropies)  # of the merger to 1, 2, ... clusters
    overlap = drops / np.maximum(smaller[:-1], np.finfo(float).tiny)
    while suggested < n_components and overlap[suggested - 1 :].min() < LEAST_OVERLAP:
        suggested += 1
    return suggested


def _summed(resp: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the sums of the columns of each group, and the column of the noise if any."""
    own, noise = resp[:, : len(groups)], resp[:, len(groups) :]
    sums = [own[:, groups == g].sum(axis=1) for g in range(groups.max() + 1)]
    return np.column_stack([*sums, noise])
