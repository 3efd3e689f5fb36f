"""The fits of the mixtures of all classes, and what they warn of."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._interface.callbacks import Task
from .._mixtures.known import Known
from .._selection.by_bic import choose_by_bic
from ..exceptions import user_level


def fit_class(
    mixture: Any,
    points: list[dict[str, Any]],
    X: Any,
    sample_weight: Any,
    label: Any,
    task: Task,
    known: Known,
) -> tuple[Any, list[tuple[type[Warning], str]]]:
    """Fit the mixture of one class; return it and what it warned of, in any process."""
    if isinstance(X, np.ndarray) and len(X) == 1:
        # A mixture asks for two rows: the same one, half as heavy.
        X = np.repeat(X, 2, axis=0)
        sample_weight = np.full(2, 0.5 if sample_weight is None else sample_weight[0] / 2)
    with (
        blaming(label),
        task.fitting(mixture),
        mixture._knowing(known),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        if len(points) == 1:
            mixture.set_params(**points[0]).fit(X, sample_weight=sample_weight)
        else:
            mixture = choose_by_bic(mixture, points, X, sample_weight, known)
    return mixture, [(warning.category, str(warning.message)) for warning in caught]


@contextmanager
def blaming(label: Any) -> Iterator[None]:
    """Say of which class an error speaks."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"The mixture of class {label!r} could not be fitted. {error}") from error


def warn_once(classes: list, warned: Any) -> None:
    """Pass the warnings of all classes on, one of each kind."""
    by_text: dict[tuple[type[Warning], str], list] = {}
    for label, caught in zip(classes, warned, strict=True):
        for warning in caught:
            by_text.setdefault(warning, []).append(label)
    lines: dict[type[Warning], list[str]] = {}
    for (category, text), labels in by_text.items():
        lines.setdefault(category, []).append(f"Class {', '.join(map(repr, labels))}: {text}")
    for category, texts in lines.items():
        warnings.warn("\n".join(texts), category, stacklevel=user_level())
