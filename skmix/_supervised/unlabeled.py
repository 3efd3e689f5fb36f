"""Bayes classifiers of rows of which some have no class: all classes are fitted as one mixture."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any

import numpy as np

from .._mixtures.covariance_types import FAMILIES
from .._mixtures.known import Known
from .._mixtures.partial import Labelling


class PartlyLabeled(metaclass=ABCMeta):
    """Adds fits to rows of no class to a Bayes classifier."""

    unlabeled: Any

    @abstractmethod
    def _check_n_components(self, labels: list) -> list[int]:
        """Return the numbers of components of the classes."""

    @abstractmethod
    def _check_priors(self, frequencies: np.ndarray) -> np.ndarray:
        """Return the priors that are given, or these."""

    @abstractmethod
    def _unfitted(self, sizes: list[int]) -> list[Any]:
        """Return mixtures of so many components before their fit."""

    @abstractmethod
    def _known_of_rows(self, rows: Any, sizes: list[int]) -> Known:
        """Return what the mixtures of all classes are told of all rows."""

    def _coded(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the classes, and the place of every label among them, -1 for no label."""
        unknown = self._of_no_class(labels)
        classes, known = np.unique(labels[~unknown], return_inverse=True)
        codes = np.full(len(labels), -1)
        codes[~unknown] = known
        return classes, codes

    def _of_no_class(self, labels: np.ndarray) -> np.ndarray:
        """Return which labels stand for none; refuse that all do."""
        unknown = np.zeros(len(labels), dtype=bool)
        if np.ndim(self.unlabeled):
            raise ValueError(
                f"unlabeled must be one label, such as -1 or 'unknown', but is {self.unlabeled!r}."
            )
        if self.unlabeled is not None:
            unknown = np.array([label == self.unlabeled for label in labels.tolist()])
        if unknown.all():
            raise ValueError(
                f"Every label of positive weight is unlabeled={self.unlabeled!r}: there is no "
                "class to learn. Label some rows, or fit a mixture."
            )
        return unknown

    def _fit_together(self, rows, task):
        """Return the priors and the mixtures of all classes, fitted as one to all rows.

        A labelled row comes from a component of its class, another from any.
        """
        self._check_sharing()
        names, sizes = rows.names, self._check_n_components(rows.names)
        label_of = np.repeat(np.arange(len(names)), sizes)
        (mixture,) = self._unfitted([len(label_of)])
        known = self._known_of_rows(rows, sizes)
        with task.subtask("classes").fitting(mixture), mixture._knowing(known):
            X, weight, codes = rows.together()
            mixture._fit(X, None, weight, Labelling(codes, label_of))
        prior = self._check_priors(np.bincount(label_of, mixture.weights_))
        own = [np.flatnonzero(label_of == code) for code in range(len(names))]
        return prior, [mixture._only(components) for components in own]

    def _check_sharing(self) -> None:
        """Refuse what one mixture of all classes cannot do."""
        return


def refuse_sharing(covariance_type: str, remedy: str) -> None:
    """Refuse what components of one class would share, where all classes are one mixture."""
    family_type = FAMILIES[covariance_type]
    if family_type.shared_covariance or family_type.sharing:
        raise ValueError(
            f"covariance_type={covariance_type!r} shares something between the components of one "
            "class, which is not available with rows of no class: these are fitted with one "
            f"mixture of all classes. Use {remedy}covariance_type='full', 'diag' or 'spherical'."
        )
