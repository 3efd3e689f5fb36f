"""One-to-one functions of a number: their derivatives, inverses, domains and images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import special

LOG_2 = float(np.log(2.0))
LOG_2PI = float(np.log(2.0 * np.pi))


class Elementwise(NamedTuple):
    """A one-to-one map of a number."""

    log_derivative: Callable  # the logarithm of the absolute value of the derivative
    inverse: Callable
    domain: tuple[float, float] = (-np.inf, np.inf)  # open intervals
    image: tuple[float, float] = (-np.inf, np.inf)


def log_cosh(x: np.ndarray) -> np.ndarray:
    """Logarithm of cosh, without overflow."""
    return np.logaddexp(x, -x) - LOG_2


def log_1p_square(x: np.ndarray) -> np.ndarray:
    """Logarithm of 1 + x², without overflow."""
    return 2.0 * np.log(np.hypot(1.0, x))


def log_1m_square(x: np.ndarray) -> np.ndarray:
    """Logarithm of 1 - x², precise near -1, 0 and 1."""
    return np.log1p(x) + np.log1p(-x)


def log_normal(x: np.ndarray) -> np.ndarray:
    """Log density of the standard normal distribution."""
    return -0.5 * (x**2 + LOG_2PI)


def constant(value: float) -> Callable:
    """Return the function that is `value` everywhere."""
    return lambda x: np.full_like(x, value)


POSITIVE, UNIT = (0.0, np.inf), (0.0, 1.0)
SYMMETRIC_UNIT, HALF_TURN = (-1.0, 1.0), (-np.pi / 2, np.pi / 2)

# The functions that a FunctionTransformer may apply, and no others.
ELEMENTWISE: dict[Any, Elementwise] = {
    np.positive: Elementwise(constant(0.0), np.positive),
    np.negative: Elementwise(constant(0.0), np.negative),
    np.log: Elementwise(lambda x: -np.log(x), np.exp, domain=POSITIVE),
    np.log2: Elementwise(lambda x: -np.log(x) - np.log(LOG_2), np.exp2, domain=POSITIVE),
    np.log10: Elementwise(
        lambda x: -np.log(x) - np.log(np.log(10.0)), lambda z: np.power(10.0, z), domain=POSITIVE
    ),
    np.log1p: Elementwise(lambda x: -np.log1p(x), np.expm1, domain=(-1.0, np.inf)),
    np.exp: Elementwise(np.positive, np.log, image=POSITIVE),
    np.exp2: Elementwise(lambda x: x * LOG_2 + np.log(LOG_2), np.log2, image=POSITIVE),
    np.expm1: Elementwise(np.positive, np.log1p, image=(-1.0, np.inf)),
    np.sqrt: Elementwise(
        lambda x: -0.5 * np.log(x) - LOG_2, np.square, domain=POSITIVE, image=POSITIVE
    ),
    np.cbrt: Elementwise(lambda x: -2.0 / 3.0 * np.log(np.abs(x)) - np.log(3.0), lambda z: z**3),
    np.reciprocal: Elementwise(lambda x: -2.0 * np.log(np.abs(x)), np.reciprocal),
    np.sinh: Elementwise(log_cosh, np.arcsinh),
    np.arcsinh: Elementwise(lambda x: -0.5 * log_1p_square(x), np.sinh),
    np.arccosh: Elementwise(
        lambda x: -0.5 * (np.log(x - 1.0) + np.log(x + 1.0)),
        np.cosh,
        domain=(1.0, np.inf),
        image=POSITIVE,
    ),
    np.tanh: Elementwise(lambda x: -2.0 * log_cosh(x), np.arctanh, image=SYMMETRIC_UNIT),
    np.arctanh: Elementwise(lambda x: -log_1m_square(x), np.tanh, domain=SYMMETRIC_UNIT),
    np.arctan: Elementwise(lambda x: -log_1p_square(x), np.tan, image=HALF_TURN),
    np.arcsin: Elementwise(
        lambda x: -0.5 * log_1m_square(x), np.sin, domain=SYMMETRIC_UNIT, image=HALF_TURN
    ),
    np.deg2rad: Elementwise(constant(np.log(np.pi / 180.0)), np.rad2deg),
    np.rad2deg: Elementwise(constant(np.log(180.0 / np.pi)), np.deg2rad),
    special.logit: Elementwise(lambda x: -np.log(x) - np.log1p(-x), special.expit, domain=UNIT),
    special.expit: Elementwise(
        lambda x: -np.logaddexp(0.0, x) - np.logaddexp(0.0, -x), special.logit, image=UNIT
    ),
    special.ndtr: Elementwise(log_normal, special.ndtri, image=UNIT),
    special.ndtri: Elementwise(lambda x: -log_normal(special.ndtri(x)), special.ndtr, domain=UNIT),
}
ELEMENTWISE |= {
    np.radians: ELEMENTWISE[np.deg2rad],
    np.degrees: ELEMENTWISE[np.rad2deg],
    None: ELEMENTWISE[np.positive],  # FunctionTransformer() is the identity
}
