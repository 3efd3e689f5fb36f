"""Classifiers of streams: `partial_fit` of the mixtures of all classes."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.metaestimators import available_if

from .._interface import validation
from .._mixtures.streaming import can_stream
from .bayes import MixtureBayesClassifier
from .class_fits import blaming


class Batches(NamedTuple):
    """What is known of the classes after some batches."""

    classes: np.ndarray
    mixtures: list[Any]  # some of them may wait for rows
    weights: np.ndarray  # (n_classes,), of the rows so far


class ClassesOfStream(MixtureBayesClassifier):
    """Adds `partial_fit` to a classifier; subclasses say how rows of a batch are read."""

    @abstractmethod
    def _read_batch(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> tuple[Any, ...]:
        """Return checked rows, labels and weights of a batch, the first if `reset`."""

    def _refuse_stream(self) -> None:
        """Refuse parameters that streams have no way for."""
        if self.unlabeled is not None:
            raise self._no_stream("unlabeled")

    def _no_stream(self, name: str) -> ValueError:
        return ValueError(
            f"partial_fit is not available with {name}={getattr(self, name)!r}, which needs all "
            "rows at once. Use another value, or fit."
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "mixtures_")

    @available_if(can_stream)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Learn from another batch of labelled rows of a stream.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows of the batch, NaN where a cell is missing.

        y : array-like of shape (n_samples,)
            Their class labels.

        classes : array-like of shape (n_classes,), default=None
            All labels that there may be. Needed at the first call only.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows.

        Returns
        -------
        self : object
            The classifier, fitted once every class seen so far has rows enough for a start: ten
            cells for every free parameter of its mixture and 50 rows per component, 20 000 rows at
            most. A class that comes later has probability 0 until then.

        Raises
        ------
        ValueError
            If rows or labels are invalid, or `classes` is missing at the first call or another
            than before. What was learned before is kept.
        AttributeError
            If a parameter needs all rows at once; its cause names the parameter.

        See Also
        --------
        GaussianMixture.partial_fit : How the mixture of each class learns.

        Notes
        -----
        Each class has a stream of its own; priors are the shares of all rows so far, unless
        `priors` are given. `reg_covar` is resolved for every class by its own first rows.
        `partial_fit` after `fit` goes on from the fit, and `fit` begins anew.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import GMMBayesClassifier
        >>> rng = np.random.default_rng(0)
        >>> classifier = GMMBayesClassifier(random_state=0)
        >>> for _ in range(10):
        ...     y = rng.integers(2, size=40)
        ...     X = rng.normal(size=(40, 1)) + 5.0 * y[:, None]
        ...     classifier = classifier.partial_fit(X, y, classes=[0, 1])
        >>> classifier.predict([[0.0], [5.0]])
        array([0, 1])
        """
        with validation.earlier_fit_kept(self):
            batches = self._batches
            if batches is None and hasattr(self, "mixtures_"):
                weights = np.array([mixture._weight_of_fit[0] for mixture in self.mixtures_])
                batches = Batches(self.classes_, self.mixtures_, weights)
            if batches is None and classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            rows, labels, weight = self._read_batch(X, y, sample_weight, reset=batches is None)
            validation.check_classes(labels)
            if batches is None:
                batches = self._first(np.unique(classes))
            _check_classes(batches.classes, classes, labels)
            batches = _learned(batches, rows, labels, weight)
            self._publish(batches)
            self._batches = batches
        return self

    def _first(self, classes: np.ndarray) -> Batches:
        sizes = self._check_n_components(classes.tolist())
        self._check_priors(np.full(len(classes), 1.0 / len(classes)))
        return Batches(classes, self._unfitted(sizes), np.zeros(len(classes)))

    def _publish(self, batches: Batches) -> None:
        """Set the attributes, where all classes that were seen have started at least once."""
        started = np.array([hasattr(mixture, "weights_") for mixture in batches.mixtures])
        if not hasattr(self, "mixtures_") and not started[batches.weights > 0].all():
            return
        if not started.any():
            return
        prior = np.where(started, self._check_priors(batches.weights / batches.weights.sum()), 0.0)
        if prior.sum() == 0:
            return
        self.classes_, self.class_prior_ = batches.classes, prior / prior.sum()
        self.mixtures_ = batches.mixtures
        self._keep([mixture for mixture in batches.mixtures if hasattr(mixture, "weights_")])
        self.n_iter_ = np.array([getattr(mixture, "n_iter_", 0) for mixture in batches.mixtures])


def _check_classes(known: np.ndarray, classes: Any, labels: np.ndarray) -> None:
    if classes is not None and not np.array_equal(known, np.unique(classes)):
        raise ValueError(
            f"classes={np.unique(classes).tolist()} is not the same as on last call to "
            f"partial_fit, which was {known.tolist()}. Leave it out, or call fit."
        )
    others = np.setdiff1d(labels, known)
    if len(others):
        raise ValueError(
            f"y has the labels {others[:10].tolist()}, which are not among the classes "
            f"{known.tolist()} of the first call of partial_fit. List all classes there."
        )


def _learned(batches: Batches, rows: Any, labels: np.ndarray, weight: Any) -> Batches:
    """Return what is known after another batch."""
    mixtures, weights = list(batches.mixtures), batches.weights.copy()
    for c, label in enumerate(batches.classes.tolist()):
        own = np.flatnonzero(labels == label)
        own_weight = None if weight is None else weight[own]
        if len(own) == 0 or (own_weight is not None and not own_weight.any()):
            continue
        mixtures[c] = copy.copy(mixtures[c])  # what was learned is kept where a class fails
        with blaming(label):
            mixtures[c].partial_fit(rows[own], sample_weight=own_weight)
        weights[c] += len(own) if own_weight is None else own_weight.sum()
    return Batches(batches.classes, mixtures, weights)
