"""The two networks of a generative adversarial network, in numpy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from ._networks import Network, Units


class Adversaries(NamedTuple):
    """Parameters of a generator and of a discriminator; they see rows between -1 and 1."""

    generator: Network
    discriminator: Network
    units: Units

    def astype(self, dtype: Any) -> Adversaries:
        """Return networks that compute in another type."""
        return self._replace(
            generator=self.generator.astype(dtype), discriminator=self.discriminator.astype(dtype)
        )

    def generate(self, latents: np.ndarray) -> np.ndarray:
        """Return rows in units of the data, (n_samples, n_features)."""
        return self.units.back(np.tanh(self.generator(latents)))

    def discriminate(self, X: np.ndarray) -> np.ndarray:
        """Return how probable it is that each row of data units is no generated one."""
        return expit(self.discriminator(self.units.forth(X))[:, 0])
