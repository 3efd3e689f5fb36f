"""Gaussian components of several classes of labelled rows, whose covariances share a structure."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._engine import em
from .._families import LabelParams, Labels, Part, Product, ProductParams
from .._interface import validation
from .._rows.sources import ArraySource
from .._starts import methods
from .base import BaseMixture
from .covariance_types import FAMILIES
from .gaussian import GaussianMixture


class Classes(NamedTuple):
    """The classes of some rows, and of components."""

    names: list  # as users have them
    labels: np.ndarray  # (n_samples,), the place in `names` of the class of every row
    label_of: np.ndarray  # (n_components,), of every component
    resp: np.ndarray  # (n_samples, n_components), responsibilities to start from

    def components(self, label: int) -> np.ndarray:
        """Return the components of one class."""
        return np.flatnonzero(self.label_of == label)


class LabelledMixture(GaussianMixture):
    """The components of all classes as one mixture: rows come from those of their own class.

    It is fitted to rows of known classes, taken apart by `in_class`, and nothing else.
    """

    _classes: Classes

    def fit_classes(self, X: np.ndarray, classes: Classes, sample_weight: Any) -> None:
        """Fit to validated rows of positive weight, none of them entirely missing."""
        self._classes = classes
        labels = classes.labels.astype(X.dtype)
        self._fit(np.column_stack([X, labels]), None, sample_weight)

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

    def bic_with_classes(self, X: np.ndarray, sample_weight: Any) -> float:
        """Return the Bayesian information criterion of the rows with their classes."""
        family, params = self._fitted_family()
        weight = np.ones(len(X)) if sample_weight is None else sample_weight
        total = 0.0
        for label in range(len(self._classes.names)):
            own, components = self._classes.labels == label, self._classes.components(label)
            with ArraySource(X[own]) as source:
                taken = family.take(params, components)
                log_density = em.score_samples(source, family, taken).astype(np.float64)
            prior = params.weights[components].sum()
            total += weight[own] @ (log_density + np.log(prior))
        n_parameters = family.n_parameters(params)
        return float(-2.0 * total + n_parameters * np.log(weight.sum()))

    # What a fit asks --------------------------------------------------------------------------

    def _fit_source(self, X, sample_weight):
        self._check_fit_parameters((len(X), X.shape[1] - 1), sample_weight is not None)
        incomplete = validation.has_missing(X)
        return X, sample_weight, ArraySource(X, sample_weight, incomplete=incomplete)

    def _make_family(self, source):
        d = source.n_features - 1
        numbers, labels = slice(0, d), slice(d, d + 1)
        family = super()._make_family(source.block(numbers))
        label_of = Labels(self._classes.label_of)
        return Product([Part("numbers", family, numbers), Part("labels", label_of, labels)])

    def _given_start(self, family, n_features):
        return {}

    def _start(self, source, family, given, random_state):
        X = source.X[:, :-1]
        labels, label_of = self._classes.labels, self._classes.label_of
        centres = np.array(
            [
                np.nanmean(X[labels == label], axis=0, dtype=np.float64)
                for label in range(len(self._classes.names))
            ]
        )
        if source.incomplete:  # a guess; EM fills in what it expects
            X = np.where(np.isnan(X), centres[labels].astype(X.dtype), X)

        def resp_of(rows, out):
            out[:] = self._classes.resp[rows].T

        rows = ArraySource(X, source.sample_weight)
        start = methods.Start(rows, resp_of, centres[label_of], source.total_weight)
        own = methods.start_params(start, family.part("numbers").family)
        return ProductParams(own.weights, (own, LabelParams(own.weights))), []

    def _reseed(self, source, family, given, params, random_state):
        return None

    def _repairs(self, source, family, params):
        numbers, own = family.part("numbers"), family.of_part(params, "numbers")
        observed = np.ones(own.means.shape)
        if source.incomplete and numbers.family.regularised:
            observed = em.observed_shares(source, family, params)[:, numbers.columns]
        repairs = []
        for label, name in enumerate(self._classes.names):
            components = self._classes.components(label)
            some = numbers.family.take(own, components)
            repairs += [
                f"Class {name!r}: {sentence}"
                for sentence in BaseMixture._repairs(self, source, numbers.family, some)
                + self._collapses(numbers.family, some, observed[components])
            ]
        return repairs

    def _attributes(self, family, params, dtype):
        own = family.of_part(params, "numbers")
        return super()._attributes(family.part("numbers").family, own, dtype)
