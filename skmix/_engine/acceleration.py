"""From one pass of EM to the parameters of the next: plain, or squared extrapolation."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from .._families import Extrapolating

# How the largest step grows where it is reached, and shrinks where it goes too far.
STEP_FACTOR = 4.0
TINY = float(np.finfo(float).tiny)


class Accepted(NamedTuple):
    """What a pass led to."""

    params: Any
    lower_bound: float  # mean log-likelihood per row (nats) of parameters that led to `params`
    objective: float  # the same with the prior
    gain: float | None  # since the last comparable pass; None where there is none
    start: Any  # the parameters that led to `params`


class Scheme(Protocol):
    """How a run of EM uses the update that a pass found."""

    @property
    def at_start(self) -> bool:
        """Whether the pass to come is compared with none before, but for its gain."""

    def accept(self, start: Any, update: Any, lower_bound: float, exact: bool = True) -> Accepted:
        """Take the `update` of `start`, whose likelihood the pass found, or something better.

        Of a pass that is not `exact`, that is a lower bound of the likelihood.
        """

    def propose(self, params: Any) -> Any:
        """Return where the next pass starts, given the accepted parameters."""

    def restart(self) -> None:
        """Forget where the last passes led, but for the last one."""


class PlainSteps:
    """Every pass starts where the last one led."""

    at_start = True

    def __init__(self, lower_bound: float) -> None:
        self._lower_bound = lower_bound

    def accept(self, start: Any, update: Any, lower_bound: float, exact: bool = True) -> Accepted:
        """Take the update."""
        gain = lower_bound - self._lower_bound
        self._lower_bound = lower_bound
        return Accepted(update, lower_bound, lower_bound, gain, start)

    def propose(self, params: Any) -> Any:
        """Go on from there."""
        return params

    def restart(self) -> None:
        """There is nothing to forget."""


class SquaredSteps:
    r"""SQUAREM: two updates, a step far along them, and one update from there.

    With :math:`r = \theta_1 - \theta_0` and :math:`v = (\theta_2 - \theta_1) - r` the third pass
    starts from :math:`\theta_0 + 2 s r + s^2 v`, where :math:`s = \|r\| / \|v\|` (scheme S3). If
    it finds a likelihood below that of :math:`\theta_1`, its update is dropped for
    :math:`\theta_2`, so that the likelihood never falls. s is at most a limit that adapts.

    Parameters
    ----------
    family : Extrapolating
        Says in which coordinates to extrapolate.
    total_weight : float
        Sum of the weights of the rows.
    lower_bound : float
        Mean log-likelihood per row (nats) that the run starts from.

    References
    ----------
    R. Varadhan, C. Roland, "Simple and globally convergent methods for accelerating the
    convergence of any EM algorithm", Scandinavian Journal of Statistics 35(2), 2008.
    :doi:`10.1111/j.1467-9469.2007.00585.x`
    """

    def __init__(self, family: Extrapolating, total_weight: float, lower_bound: float) -> None:
        self._family = family
        self._total_weight = total_weight
        self._path: list[Any] = []  # the parameters of this cycle so far
        self._cycle_objective = lower_bound  # at the start of the cycle
        self._lower_bound = lower_bound  # of the second parameters
        self._objective = lower_bound
        self._cycle_exact = self._exact = True  # whether these are no lower bounds of them
        self._max_step = 1.0
        self._gain = np.inf  # of the last cycle

    @property
    def at_start(self) -> bool:
        """Whether the pass to come begins a cycle."""
        return not self._path

    def restart(self) -> None:
        """Let the next pass begin a cycle."""
        self._path = []

    def accept(self, start: Any, update: Any, lower_bound: float, exact: bool = True) -> Accepted:
        """Take the update, unless the pass started too far away."""
        objective = lower_bound + self._family.log_prior(start) / self._total_weight
        if not self._path:
            gain, previous_gain = objective - self._cycle_objective, self._gain
            comparable = exact or not self._cycle_exact
            self._cycle_objective, self._cycle_exact = objective, exact
            self._path = [start, update]
            if not comparable:
                return Accepted(update, lower_bound, objective, None, start)
            self._gain = gain
            # One short cycle may be the doing of a short step; two in a row are convergence.
            return Accepted(update, lower_bound, objective, max(gain, previous_gain), start)
        if len(self._path) == 2:
            self._path.append(update)
            self._lower_bound, self._objective, self._exact = lower_bound, objective, exact
            return Accepted(update, lower_bound, objective, None, start)
        before, origin = self._path.pop(), self._path.pop()
        self._path = []
        if exact == self._exact and objective >= self._objective:
            return Accepted(update, lower_bound, objective, None, start)
        if exact == self._exact:
            self._max_step = max(1.0, self._max_step / STEP_FACTOR**2)
        return Accepted(before, self._lower_bound, self._objective, None, origin)

    def propose(self, params: Any) -> Any:
        """Extrapolate after every second update."""
        if len(self._path) < 3:
            return params
        origin, first, second = (self._family.coordinates(params) for params in self._path)
        along = first - origin
        bend = (second - first) - along
        # Without a bend the limit decides.
        step = float(np.linalg.norm(along)) / max(float(np.linalg.norm(bend)), TINY)
        if step >= self._max_step:
            step = self._max_step
            self._max_step *= STEP_FACTOR
        if step <= 1.0:  # the second update is as far
            self._path = []
            return params
        return self._family.from_coordinates(
            origin + 2.0 * step * along + step**2 * bend, fallback=params
        )
