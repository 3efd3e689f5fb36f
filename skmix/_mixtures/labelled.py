"""Gaussian components of several classes of labelled rows, whose covariances share a structure."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._engine import em
from .._families import GaussianForm
from .._rows.sources import ArraySource, Chunk, Scratch, Source
from .._starts import methods
from .base import BaseMixture
from .covariance_types import FAMILIES
from .gaussian import GaussianMixture
from .partial import Labelling


class Classes(NamedTuple):
    """The classes of some rows, and of components."""

    names: list  # as users have them
    label_of: np.ndarray  # (n_components,), the place in `names` of the class of every component
    # Mixtures of each class, whose responsibilities EM starts from; None where each has one
    # component.
    apart: list[GaussianMixture] | None

    def components(self, label: int) -> np.ndarray:
        """Return the components of one class."""
        return np.flatnonzero(self.label_of == label)


class LabelledMixture(GaussianMixture):
    """The components of all classes as one mixture: rows come from those of their own class.

    It is fitted to rows of known classes, taken apart by `in_class`, and nothing else.
    """

    _classes: Classes
    bic_with_classes: float  # of the rows with their classes

    def fit_classes(self, X: Any, sample_weight: Any, codes: Any, classes: Classes) -> None:
        """Fit to validated rows and the places of their classes, which chunks bring."""
        self._classes = classes
        self._fit(X, None, sample_weight, Labelling(codes, classes.label_of))

    def in_class(self, label: int, mixture: GaussianMixture) -> GaussianMixture:
        """Give a mixture what was learned of one class; return it."""
        own = self._classes.components(label)
        mixture.weights_ = self.weights_[own] / self.weights_[own].sum()
        mixture.means_ = self.means_[own]
        shared = FAMILIES[self.covariance_type].shared_covariance
        for name in ("covariances_", "precisions_", "precisions_cholesky_"):
            value = getattr(self, name)
            setattr(mixture, name, value.copy() if shared else value[own])
        mixture.reg_covar_, mixture.shrinkage_ = self.reg_covar_.copy(), self.shrinkage_
        mixture.converged_, mixture.n_iter_ = self.converged_, self.n_iter_
        mixture.lower_bound_, mixture.lower_bounds_ = self.lower_bound_, self.lower_bounds_
        mixture.noise_weight_, mixture.noise_box_ = self.noise_weight_, self.noise_box_
        mixture.n_features_in_ = self.means_.shape[1]
        return mixture

    # What a fit asks --------------------------------------------------------------------------

    def _start(self, source, family, given, random_state):
        centres = _class_means(source, len(self._classes.names))
        resp_of = None
        if self._classes.apart is not None:
            resp_of = partial(_resp_apart, [m._fitted_family() for m in self._classes.apart])

        def sums(form: GaussianForm) -> Any:
            add = partial(_add_class_rows, centres, self._classes.label_of, resp_of, form)
            totals = source.reduce(add, form.zeros, form.bytes_per_row, form.min_chunk_rows)
            return form.statistics(totals)

        own = methods.params_of_sums(
            centres[self._classes.label_of], sums, source.total_weight, family.family
        )
        return family.with_labels(own), []

    def _best_run(self, source, family, n_init, task):
        run = super()._best_run(source, family, n_init, task)
        form = family.prepare(run.result.params, source.dtype)
        own = family.without_labels(run.result.params)
        penalty = family.family.n_parameters(own) * np.log(source.total_weight)
        self.bic_with_classes = float(penalty - 2.0 * em.expect(source, form)[0])
        return run

    def _repairs(self, source, family, params):
        own, numbers = family.without_labels(params), family.family
        observed = np.ones(own.means.shape)
        if source.incomplete and numbers.regularised:
            observed = em.observed_shares(source, family, params)[:, :-1]
        repairs = []
        for label, name in enumerate(self._classes.names):
            components = self._classes.components(label)
            some = numbers.take(own, components)
            repairs += [
                f"Class {name!r}: {sentence}"
                for sentence in BaseMixture._repairs(self, source, numbers, some)
                + self._collapses(numbers, some, observed[components])
            ]
        return repairs


def _split(chunk: Chunk) -> tuple[np.ndarray, np.ndarray]:
    """Return rows, and the classes that their last column has."""
    return chunk.X[:, :-1], chunk.X[:, -1].astype(np.int64)


def _class_means(source: Source, n_classes: int) -> np.ndarray:
    """Return the means (n_classes, n_features) of the cells of each class that are not missing."""
    shape = n_classes, source.n_features - 1

    def zeros() -> list[np.ndarray]:
        return [np.zeros(shape), np.zeros(shape)]

    def add(chunk: Chunk, totals: list[np.ndarray], scratch: Scratch) -> None:
        X, labels = _split(chunk)
        own = (labels == np.arange(n_classes)[:, None]).astype(np.float64)
        seen = ~np.isnan(X)
        totals[0] += own @ seen
        totals[1] += own @ np.where(seen, X, 0.0)

    counts, sums = source.reduce(add, zeros, 24 * source.n_features + 8 * n_classes)
    return sums / counts


def _resp_apart(fitted: list[Any], label: int, X: np.ndarray) -> np.ndarray:
    """Return responsibilities (n_rows, n_components) of the mixture of one class."""
    return em.predict_proba(ArraySource(X, in_order=True), *fitted[label])


def _add_class_rows(
    centres: np.ndarray,
    label_of: np.ndarray,
    resp_of: Any,
    form: GaussianForm,
    chunk: Chunk,
    totals: list[np.ndarray],
    scratch: Scratch,
) -> None:
    """Add up statistics of rows whose missing cells are the means of their class.

    That is a guess; EM fills in what it expects.
    """
    X, labels = _split(chunk)
    resp = (label_of[:, None] == labels).astype(form.dtype)
    if resp_of is not None:
        for label in np.unique(labels):
            of_class = np.ix_(label_of == label, labels == label)
            resp[of_class] = resp_of(label, X[labels == label]).T
    X = np.where(np.isnan(X), centres[labels].astype(X.dtype), X)
    if chunk.sample_weight is not None:
        resp *= chunk.sample_weight
    form.add(totals, form.features(X, scratch), resp, scratch)
