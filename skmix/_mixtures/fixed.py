"""Fits of Gaussian mixtures that hold some parameters: `fixed`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._families import FixedGaussian, GaussianParams, Held
from .covariance_types import FAMILIES
from .gaussian_fit import GaussianFit

STARTS = {"weights": "weights_init", "means": "means_init", "precisions": "precisions_init"}


class FixedFit(GaussianFit):
    """What a Gaussian mixture with held parameters tells the fit."""

    fixed: dict[str, Any] | None = None

    def _make_family(self, source):
        family = super()._make_family(source)
        if not self.fixed:
            return family
        held = self._held_components()
        for what, clash in (
            ("prior", self.prior is not None),
            ("shrinkage", self.shrinkage == "auto" or self.shrinkage > 0),
            ("noise", getattr(self, "noise", False)),
            ("partial_labels", self._labelling is not None),
            ("warm_start", self.warm_start),
        ):
            if clash:
                raise ValueError(f"fixed is not available with {what}. Leave one of them out.")
        if held["precisions"].any() and (family.sharing or family.shared_covariance):
            raise ValueError(
                f"fixed['precisions'] is not available with covariance_type="
                f"{self.covariance_type!r}, whose components share something. Use covariance_type="
                "'full', 'diag' or 'spherical'."
            )
        given = super()._given_start(family, source.n_features)
        unknown = np.zeros((self.n_components, source.n_features))
        factors = given.get("precisions_cholesky")
        params = GaussianParams(
            given.get("weights", unknown[:, 0]),
            given.get("means", unknown),
            None if factors is None else family.invert_factors(factors),
            unknown if factors is None else factors,
        )
        total = params.weights[held["weights"]].sum()
        if total > 1.0 + 1e-6:
            raise ValueError(f"The weights that are fixed sum to {total}, more than 1.")
        return FixedGaussian(
            family, Held(held["weights"], held["means"], held["precisions"], params)
        )

    def _held_components(self) -> dict[str, np.ndarray]:
        """Return masks of the components whose weights, means and precisions are held."""
        fixed = {} if self.fixed is None else self.fixed
        unknown = [name for name in fixed if name not in STARTS]
        if unknown:
            raise ValueError(
                f"fixed has the key {unknown[0]!r}, but may have 'weights', 'means' and "
                "'precisions' only."
            )
        masks = {}
        for name, init in STARTS.items():
            mask = np.zeros(self.n_components, dtype=bool)
            which = fixed.get(name, False)
            if which is True:
                mask[:] = True
            elif which is not False:
                places = np.asarray(which)
                if places.ndim != 1 or places.dtype.kind not in "iu" or not len(places):
                    raise ValueError(
                        f"fixed[{name!r}] must be True or a list of components, but is {which!r}."
                    )
                if places.min() < 0 or places.max() >= self.n_components:
                    raise ValueError(
                        f"fixed[{name!r}]={which!r} must be components from 0 to "
                        f"{self.n_components - 1}."
                    )
                mask[places] = True
            if mask.any() and getattr(self, init) is None:
                raise ValueError(
                    f"fixed[{name!r}] holds what {init} says, but {init} is None. Pass {init}, "
                    f"or leave {name!r} out of fixed."
                )
            masks[name] = mask
        return masks

    def _n_parameters(self):
        """Return the number of free parameters: what is held is none."""
        n_parameters = super()._n_parameters()
        if not self.fixed:
            return n_parameters
        held, d = self._held_components(), self.means_.shape[1]
        family_type = FAMILIES[self.covariance_type]
        per_covariance = (
            family_type(self._fitted_family()[0].frame).n_covariance_parameters(1, d)
            if held["precisions"].any()
            else 0
        )
        n_weights = min(int(held["weights"].sum()), self.n_components - 1)
        n_held = n_weights + d * int(held["means"].sum())
        return n_parameters - n_held - per_covariance * int(held["precisions"].sum())
