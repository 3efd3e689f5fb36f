"""Falls of the likelihood from one iteration of EM to the next, and what of them is rounding."""

from __future__ import annotations

import numpy as np

from .._families import Family
from .._families.protocols import concession_of, magnitude_of
from .._rows.sources import Source
from .acceleration import Accepted

# A mean of log densities may be wrong by so many units of rounding of its largest terms.
UNITS = 8.0


def fall_of(source: Source, family: Family, last: Accepted, lower_bound: float) -> float:
    r"""Return by how much an update lowered the likelihood (nats per row); 0 if by rounding only.

    An update :math:`\theta'` of :math:`\theta` that maximises the expected log-likelihood plus a
    penalty :math:`P` lowers the likelihood by at most :math:`P(\theta') - P(\theta)`, whatever
    the responsibilities: a family says how much that is by `concession`, and by `magnitude` how
    large the terms are whose sum a log density is. Both are optional and asked for only where the
    likelihood fell.

    Parameters
    ----------
    source : Source

    family : Family

    last : Accepted
        The update, where it came from, and the likelihood there.

    lower_bound : float
        The mean log-likelihood per row (nats) of the update.
    """
    fall = last.lower_bound - lower_bound
    if np.isnan(fall):
        return 0.0  # from one impossible row to another
    eps = float(np.finfo(np.float64).eps)
    if fall <= eps * abs(last.lower_bound):
        return 0.0
    fall -= concession_of(family, last.start, last.params, source.total_weight)
    eps = float(np.finfo(family.prepare(last.params, source.dtype).dtype).eps)
    magnitude = abs(last.lower_bound) + magnitude_of(family, last.params, source)
    return float(fall) if fall > UNITS * eps * magnitude else 0.0
