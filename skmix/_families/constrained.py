"""Gaussian components whose covariances share their volume, their shape or their axes.

What a pass sums, and what missing cells and noise add to it, is that of covariances which share
nothing: the families here only choose other maxima. :class:`Decomposition` says which.
"""

from __future__ import annotations

import copy
from typing import ClassVar, Self

import numpy as np

from .decomposition import Decomposition
from .diagonal import DiagonalGaussian
from .full import FullGaussian
from .gaussian import ILL_DEFINED_COVARIANCE, GaussianFamily
from .gaussian_form import GaussianParams
from .spherical import SphericalGaussian


class Constrained(GaussianFamily):
    """What families of a common structure have in common; one that sums is inherited next.

    Regularisation is added to the empirical covariances, of which those of the structure are then
    the likeliest: a penalty on the likelihood, under which the structure is kept exactly.
    """

    decomposition: ClassVar[Decomposition]
    sharing = True
    components_per_run: int | None = None  # all components are one run if None

    @property
    def own_matrices(self) -> bool:
        return self.decomposition.own_axes

    @property
    def bounded(self) -> bool:
        return self.decomposition.bounded or self.prior is not None

    def share_of_prior(self, n_components: int) -> float:
        one = self.decomposition.one_covariance
        return 1.0 / (self.components_per_run or n_components) if one else 1.0

    def side_by_side(self, n_components: int) -> Self:
        family = copy.copy(self)
        family.components_per_run = n_components
        return family

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return self.decomposition.n_parameters(n_components, n_features)

    def likeliest(
        self, params: GaussianParams, covariances: np.ndarray, counts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        present = self.covariances(params)
        try:
            covariances = self._maximum(covariances, counts, present)
        except np.linalg.LinAlgError:
            if not self.regularised:
                raise ValueError(ILL_DEFINED_COVARIANCE) from None
            covariances = self.make_positive_definite(covariances, self.resolution)
            try:
                covariances = self._maximum(covariances, counts, present)
            except np.linalg.LinAlgError:
                raise ValueError(
                    f"The variances of the rows differ too much between columns or directions for "
                    f"covariance_type={self.covariance_type!r}, which compares them. Standardise "
                    f"the columns, or use covariance_type={self.free_type!r}."
                ) from None
        return self.factor(covariances)

    def _maximum(
        self, covariances: np.ndarray, counts: np.ndarray, present: np.ndarray
    ) -> np.ndarray:
        n_components = self.components_per_run or len(counts)
        n_last = () if covariances.ndim > 1 else (1,)  # one variance is one of one feature
        shape = (-1, n_components, *covariances.shape[1:], *n_last)
        found = self.decomposition.maximum(
            covariances.reshape(shape), counts.reshape(-1, n_components), present.reshape(shape)
        )
        return found.reshape(covariances.shape)

    def admissible(self, params: GaussianParams) -> GaussianParams:
        covariances = self.covariances(params)
        counts = np.maximum(params.weights, np.finfo(np.float64).tiny)
        return GaussianParams(
            params.weights, params.means, *self.likeliest(params, covariances, counts)
        )


def _family(name: str, base: type[GaussianFamily]) -> type[GaussianFamily]:
    """Return the family of a structure that sums what `base` sums."""
    decomposition = Decomposition(*name)
    members = {
        "__doc__": f"Components with the volumes, shapes and axes {name}: see `Decomposition`.",
        "__module__": __name__,
        "covariance_type": name,
        "common_scale": not decomposition.same_in_any_unit,
        "free_type": base.covariance_type,
        "margin_type": name if decomposition.same_in_margins else base.covariance_type,
        "relatives": (DiagonalGaussian, FullGaussian) if base.dense else (),
        "decomposition": decomposition,
    }
    return type(name, (Constrained, base), members)


# The structures that are not one of the four families that share nothing or everything.
CONSTRAINED: dict[str, type[GaussianFamily]] = {
    "EII": _family("EII", SphericalGaussian),
    **{name: _family(name, DiagonalGaussian) for name in ("EEI", "VEI", "EVI")},
    **{name: _family(name, FullGaussian) for name in ("VEE", "EVE", "VVE", "EEV", "VEV", "EVV")},
}
