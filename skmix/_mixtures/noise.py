"""Gaussian mixtures in which some rows belong to no component: `noise=True`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import numpy as np

from .._engine import em
from .._families import Box, WithUniform, log_of_weights
from .._interface.wording import learned_shares
from .._starts.noise import NoiseStarts
from .estimates import of_mixture
from .fixed import FixedFit

NOISE = -1  # the label of rows that belong to no Gaussian


class NoiseFit(FixedFit):
    """What a Gaussian mixture with a component of constant density tells the fit."""

    noise: bool = False
    noise_weight_: float
    noise_box_: np.ndarray | None

    # Fitting ----------------------------------------------------------------------------------

    def _make_family(self, source):
        family = super()._make_family(source)
        if not self.noise:
            return family
        box = Box.of_source(source, family.frame, family.reg_covar)
        return WithUniform(family, box)

    def _given_start(self, family, n_features):
        if not self.noise:
            return super()._given_start(family, n_features)
        given = super()._given_start(family.gaussians, n_features)
        if self._continues():
            given["noise"] = max(self._weight_of_noise(), np.finfo(np.float64).eps)
        return given

    def _starts(self) -> Any:
        return NoiseStarts(super()._starts()) if self.noise else super()._starts()

    def _repairs(self, source, family, params):
        if self.noise:
            family, params = family.without_uniform(params)
        return super()._repairs(source, family, params)

    def _attributes(self, family, params, dtype):
        noise: dict[str, Any] = {"noise_weight_": 0.0, "noise_box_": None}
        if isinstance(family, WithUniform):
            noise = {"noise_weight_": float(params.weights[-1]), "noise_box_": family.box.array}
            family, params = family.without_uniform(params)
        return {**super()._attributes(family, params, dtype), **noise}

    @contextmanager
    def _refit_source(self, X, sample_weight):
        with super()._refit_source(X, sample_weight) as (source, family, params):
            box = self._box()
            yield source, family if box is None else WithUniform(family, box), params

    # Using a fit ------------------------------------------------------------------------------

    def _box(self) -> Box | None:
        """Return where the noise is uniform; None where the fit has none."""
        box = getattr(self, "noise_box_", None)
        return None if box is None else Box(box[0], box[1:])

    def _weight_of_noise(self) -> float:
        return float(learned_shares(self, "noise_weight_", ()))

    def _fitted_family(self):
        family, params = super()._fitted_family()
        box = self._box()
        if box is None:
            return family, params
        both = WithUniform(family, box)
        return both, both.params(np.append(params.weights, self._weight_of_noise()), params)

    def _fitted_gaussians(self):
        """Return the family of the Gaussians alone, and their parameters."""
        return super()._fitted_family()

    def _new_mixture(self, weights, means, covariances, features):
        box = self._box()
        if box is None:
            return super()._new_mixture(weights, means, covariances, features)
        own, noise = weights[:-1], weights[-1]
        if not own.sum() > 0:  # nothing but noise
            own = np.full(len(own), np.finfo(np.float64).tiny)
        mixture = super()._new_mixture(own / own.sum(), means, covariances, features)
        mixture.weights_ *= own.sum()
        mixture.noise_weight_, mixture.noise_box_ = float(noise), box.of_features(features).array
        return mixture.set_params(noise=True)

    def _all_weights(self):
        if self._box() is None:
            return super()._all_weights()
        return np.append(self.weights_, self._weight_of_noise())

    def _estimates(self):
        found = super()._estimates()
        if self._box() is not None:
            found.append(of_mixture("noise_weight", "weight", self._weight_of_noise(), NOISE))
        return found

    def _log_prob_of_few(self, X):
        log_prob, box = super()._log_prob_of_few(X), self._box()
        if log_prob is None or box is None:
            return log_prob
        constant = log_of_weights(self._all_weights(), np.float64)[-1] - box.log_volume
        return np.concatenate([log_prob, np.full((1, len(X)), constant)])

    def _score_rows(self, score, X):
        result = super()._score_rows(score, X)
        if score is em.predict and self._box() is not None:
            result[result == len(self.weights_)] = NOISE
        return result

    def _sample(self, n_samples, random_state, shuffle=False):
        X, labels = super()._sample(n_samples, random_state, shuffle)
        if self._box() is not None:
            labels[labels == len(self.weights_)] = NOISE
        return X, labels
