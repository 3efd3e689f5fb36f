"""What a batch of a stream is to mixtures of numbers, of categories, and of tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._families import Frame
from .._interface import columns, encoding, survey, validation
from .._interface.wording import learned
from .._rows.sources import ArraySource
from .covariance_types import FAMILIES
from .shrinking import Shrinkage
from .streaming import StreamFit


def without_empty(rows: np.ndarray, weight: Any) -> tuple[np.ndarray, Any]:
    """Return rows of floats, and weights, without those that say nothing."""
    kept = survey.said(rows, weight)
    if kept is None:
        return rows, weight
    return rows[kept], None if weight is None else weight[kept]


class StreamOfNumbers(StreamFit):
    """Batches of numbers, for Gaussian components."""

    noise: bool
    fixed: dict | None
    covariance_type: str

    def _refuse_stream(self):
        if self.noise:
            raise ValueError(
                "partial_fit is not available with noise=True, whose box is that of all rows. Use "
                "noise=False, or fit Chunks."
            )
        if self.fixed:
            raise ValueError(
                f"partial_fit is not available with fixed={self.fixed}. Use fixed=None, or fit "
                "Chunks."
            )

    def _read_batch(self, X, sample_weight, *, reset):
        rows = validation.validate_rows(self, X, reset=reset)
        return without_empty(rows, validation.check_sample_weight(sample_weight, rows))

    def _source_of_batch(self, rows, sample_weight):
        return ArraySource(rows, sample_weight, incomplete=validation.has_missing(rows))

    def _n_free(self, n_features):
        family = FAMILIES[self.covariance_type](Frame.identity(n_features))
        n_components = self.n_components
        n_covariance = family.n_covariance_parameters(n_components, n_features)
        return n_covariance + n_components * (n_features + 1) - 1

    def _check_going_on(self):
        super()._check_going_on()
        means = learned(self, "means_", (None, None))
        expected = FAMILIES[self.covariance_type].covariance_shape(*means.shape)
        if np.shape(self.covariances_) != expected:
            raise ValueError(
                f"partial_fit goes on from covariances_ of shape {np.shape(self.covariances_)}, "
                f"but covariance_type={self.covariance_type!r} needs {expected}. Call fit, or "
                "clone the mixture."
            )

    def _family_of_fit(self, source):
        fitted, params = self._fitted_family()
        nowhere = np.zeros(source.n_features)
        frame = fitted.frame._replace(radius=nowhere)  # as yet; batches say how far they reach
        known = self._known_of_fit()  # nothing of a mixture that was made of parameters
        reg_covar = nowhere if known.reg_covar is None else known.reg_covar
        shrunk = known.shrinkage or Shrinkage(0.0, 0.0)
        return self._family_in(frame, source, reg_covar, shrunk), params


class StreamOfAnswers(StreamFit):
    """Batches of categories, the equal rows of each merged."""

    def _read_batch(self, X, sample_weight, *, reset):
        answers = encoding.read_columns(self, X, reset=reset, categories=self.categories)
        weight = validation.check_sample_weight(sample_weight, answers[0].positions)
        kept = np.ones(len(answers[0].positions), bool) if weight is None else weight > 0
        if reset:
            categories = encoding.learn_categories(answers, self.categories, kept)
        else:
            categories = self.categories_
        codes = encoding.encode(answers, categories, self.handle_unknown, kept)
        self.categories_ = categories
        kept &= np.any(codes >= 0, axis=1)
        return codes[kept], None if weight is None else weight[kept]

    def _source_of_batch(self, rows, sample_weight):
        return self._distinct(rows, sample_weight)

    def _n_free(self, n_features):
        n_answers = sum(len(known) - 1 for known in self.categories_)
        return self.n_components * (1 + n_answers) - 1

    def _family_of_fit(self, source):
        return self._make_family(source), self._params()


class StreamOfTables(StreamFit):
    """Batches of tables with columns of several kinds."""

    def _read_batch(self, X, sample_weight, *, reset):
        if reset:
            learned = columns.learn_rows(self, X, sample_weight)
            rows, self.families_, self.categories_, weight = learned
            return without_empty(rows, weight)
        table = columns.read_table(self, X, reset=False)
        return without_empty(*self._encoded_as_learned(table, sample_weight, learn=False))

    def _source_of_batch(self, rows, sample_weight):
        everywhere = np.ones(rows.shape[1], dtype=bool)  # the same packs for all batches
        return self._laid_out(rows, sample_weight, missing=everywhere)

    def _n_free(self, n_features):
        n_components, n_free = self.n_components, self.n_components - 1
        numbers, counts = (len(self._places(kind)) for kind in ("gaussian", "poisson"))
        if numbers:
            family = FAMILIES[self.covariance_type](Frame.identity(numbers))
            n_free += family.n_covariance_parameters(n_components, numbers)
        answers = sum(len(known) - 1 for known in self.categories_)
        return n_free + n_components * (numbers + counts + answers)

    def _family_of_fit(self, source):
        with self._knowing(self._known_of_fit()):
            family = self._make_family(source)
        return family, family.to_frame(self._in_units())
