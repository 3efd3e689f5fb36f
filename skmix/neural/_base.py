"""What both kinds of networks share: checks of rows, epochs, curves, early stopping, refits."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable
from numbers import Integral, Real
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._interface import validation
from .._interface.callbacks import CallbackSupportMixin, Task
from .._interface.versions import VersionedMixin
from .._interface.wording import check_random_state
from . import _torch

MAX_SEED = np.iinfo(np.int32).max


class Held(NamedTuple):
    """Rows to learn from, and rows to validate by or None."""

    train: np.ndarray
    validation: np.ndarray | None


class BaseNetworks(CallbackSupportMixin, VersionedMixin, BaseEstimator, metaclass=ABCMeta):
    """Interface of networks trained in epochs; subclasses say what a step learns."""

    _parameter_constraints: dict = {
        "n_latent": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0.0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0.0, 1.0, closed="neither"), None],
        "averaging": [Interval(Real, 0.0, 1.0, closed="left")],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
    }

    # Names of the losses of a step; the curve of each is an attribute, and so is its
    # validation curve.
    _losses: tuple[str, ...]

    # What a subclass defines ------------------------------------------------------------------

    @abstractmethod
    def _check_values(self, X: np.ndarray, *, reset: bool) -> None:
        """Refuse rows that the networks cannot take."""

    @abstractmethod
    def _start(self, X: np.ndarray, random_state: np.random.RandomState) -> Any:
        """Return parameters to start from."""

    @abstractmethod
    def _fitted_params(self) -> Any:
        """Return the parameters that the learned attributes describe."""

    @abstractmethod
    def _attributes(self, params: Any) -> dict[str, Any]:
        """Return the learned attributes that describe these parameters."""

    @abstractmethod
    def _make_model(self, torch: Any, params: Any, device: Any, seed: int) -> _torch.Model:
        """Return what trains the networks."""

    @abstractmethod
    def _expected_sizes(self, n_features: int) -> dict[str, tuple[int, ...]]:
        """Return the sizes of the layers of each network, by its name."""

    # Rows -------------------------------------------------------------------------------------

    def _check_rows(self, X: Any, *, reset: bool, name: str = "X", **options: Any) -> np.ndarray:
        """Return checked rows of finite numbers that the networks can take."""
        X = validation.validate_rows(self, X, reset=reset, **options)
        if validation.has_missing(X):
            row, column = np.argwhere(np.isnan(X))[0]
            raise ValueError(
                f"{name} contains NaN, first in row {row}, column {column}: "
                f"{type(self).__name__} takes complete rows. {self._remedy_for_missing}"
            )
        self._check_values(X, reset=reset)
        return X

    _remedy_for_missing = (
        "Fill missing cells before, by skmix.ConditionalGMMInpainter for example, or drop rows."
    )

    def _hold_out(
        self, X: np.ndarray, X_val: np.ndarray | None, random_state: np.random.RandomState
    ) -> Held:
        """Return rows to learn from and rows to validate by: those given, or a random share."""
        if X_val is not None or self.validation_fraction is None:
            return Held(X, X_val)
        n_held_out = max(1, round(self.validation_fraction * len(X)))
        if n_held_out >= len(X):
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(X)} rows leaves none to "
                "learn from. Take less, or pass X_val to fit."
            )
        order = random_state.permutation(len(X))
        return Held(X[np.sort(order[n_held_out:])], X[np.sort(order[:n_held_out])])

    # Fitting ----------------------------------------------------------------------------------

    def _fit(self, X: Any, y: Any, X_val: Any) -> None:
        with validation.earlier_fit_kept(self):
            torch = _torch.import_torch(self)
            continues = self.warm_start and hasattr(self, "n_iter_")
            X = self._check_rows(X, reset=not continues, ensure_min_samples=2)
            if X_val is not None:
                X_val = self._check_rows(X_val, reset=False, name="X_val")
            random_state = check_random_state(self.random_state)
            held = self._hold_out(X, X_val, random_state)
            self._check_early_stopping(held)
            params = self._continued() if continues else self._start(held.train, random_state)
            task = Task.root(self, self.max_epochs, X, y, None)
            with _torch.limited_threads(torch):
                attributes = self._train(torch, held, params, continues, random_state, task)
            self.__dict__.update(attributes)
            task.end(dict)

    def _check_early_stopping(self, held: Held) -> None:
        if getattr(self, "early_stopping", False) and held.validation is None:
            raise ValueError(
                "early_stopping=True needs rows to validate by, which the fit does not see: pass "
                "X_val to fit, or set validation_fraction, to 0.1 for example."
            )

    def _continued(self) -> Any:
        """Return the parameters of the last fit, if they have the sizes now asked for."""
        params = self._fitted_params()
        for name, sizes in self._expected_sizes(self.n_features_in_).items():
            found = getattr(params, name).sizes
            if found != sizes:
                raise ValueError(
                    f"warm_start=True goes on with the {name} of the last fit, whose layers have "
                    f"the sizes {found}, but the parameters ask for {sizes}. Set "
                    "warm_start=False, or the parameters back."
                )
        return params

    def _train(
        self,
        torch: Any,
        held: Held,
        params: Any,
        continues: bool,
        random_state: np.random.RandomState,
        task: Task,
    ) -> dict[str, Any]:
        """Train for at most `max_epochs`; return all learned attributes."""
        device = _torch.choose_device(torch, self.device)
        model = self._make_model(torch, params, device, random_state.randint(MAX_SEED))

        def to_units(X):
            return params.units.forth(X).astype(np.float32, copy=False)

        rows = _torch.Batches(torch, held.train, to_units, device)
        others = None
        if held.validation is not None:
            others = _torch.Batches(torch, held.validation, to_units, device)
        history = History(self, continues)
        stopping = EarlyStopping(self.n_iter_no_change) if self._stops_early else None

        def attributes():
            return {**self._attributes(model.to_numpy()), **history.attributes()}

        for _ in range(self.max_epochs):
            epoch = task.subtask("epoch")
            epoch.begin(attributes)
            started = perf_counter()
            losses = _torch.train_epoch(torch, model, rows, self.batch_size, random_state)
            self._check_finite(losses, history)
            validation = None if others is None else _torch.validate(torch, model, others)
            history.add(losses, validation)
            history.print_last(perf_counter() - started)
            stop = epoch.end(attributes)
            if stopping is not None:
                assert validation is not None  # checked
                stop |= stopping.should_stop(float(validation[0]), model)
            if stop:
                break
        params = model.to_numpy() if stopping is None else stopping.best
        return {**self._attributes(params), **history.attributes()}

    @property
    def _stops_early(self) -> bool:
        return getattr(self, "early_stopping", False)

    def _check_finite(self, losses: np.ndarray, history: History) -> None:
        if np.all(np.isfinite(losses)):
            return
        raise ValueError(
            f"The training of {type(self).__name__} diverged in epoch {history.n_epochs + 1}: its "
            f"loss is {losses.tolist()}. Lower learning_rate_init={self.learning_rate_init}."
        )

    def _fitted_rows(self, X: Any) -> np.ndarray:
        """Return checked rows for a fitted estimator."""
        check_is_fitted(self)
        return self._check_rows(X, reset=False)


class History:
    """The losses of all epochs, those of earlier fits included where a fit goes on from them."""

    def __init__(self, estimator: Any, continues: bool):
        self._names = estimator._losses
        self._verbose = int(estimator.verbose)
        self._class = type(estimator).__name__
        self._curves: dict[str, list[float] | None] = {}
        for name in self._names:
            for curve in (f"{name}_curve_", f"validation_{name}_curve_"):
                earlier = getattr(estimator, curve) if continues else []
                self._curves[curve] = list(earlier or [])
        self.n_epochs = estimator.n_iter_ if continues else 0

    def add(self, losses: Iterable[float], validation: Iterable[float] | None) -> None:
        """Write down the mean losses of an epoch, and those on validation rows."""
        self.n_epochs += 1
        parts = (
            [("", losses)] if validation is None else [("", losses), ("validation_", validation)]
        )
        for prefix, values in parts:
            for name, value in zip(self._names, values, strict=True):
                curve = self._curves[f"{prefix}{name}_curve_"]
                assert curve is not None
                curve.append(float(value))

    def attributes(self) -> dict[str, Any]:
        """Return the learned attributes that tell of the epochs."""
        curves = {
            name: list(curve) if curve or not name.startswith("validation_") else None
            for name, curve in self._curves.items()
            if curve is not None
        }
        return {**curves, "n_iter_": self.n_epochs}

    def print_last(self, seconds: float) -> None:
        """Print the last epoch, if anything is to be printed."""
        if not self._verbose:
            return
        parts = [
            f"{name.removesuffix('_curve_').replace('_', ' ')} {curve[-1]:.4f}"
            for name, curve in self._curves.items()
            if curve
        ]
        lapse = f", {seconds:.1f} s" if self._verbose > 1 else ""
        print(f"{self._class}, epoch {self.n_epochs}: {', '.join(parts)}{lapse}", flush=True)


class EarlyStopping:
    """Keeps the parameters of the lowest validation loss, and says when to give up."""

    def __init__(self, n_iter_no_change: int):
        self._patience = n_iter_no_change
        self._lowest = np.inf
        self._waited = 0
        self.best: Any = None

    def should_stop(self, loss: float, model: _torch.Model) -> bool:
        """Note the loss after an epoch; return whether the last ones gained nothing."""
        if loss < self._lowest or self.best is None:
            self._lowest, self._waited, self.best = loss, 0, model.to_numpy()
        else:
            self._waited += 1
        return self._waited >= self._patience


def layer_sizes(hidden_layer_sizes: Any) -> tuple[int, ...]:
    """Return the sizes of hidden layers as a tuple of positive ints."""
    sizes = np.atleast_1d(np.asarray(hidden_layer_sizes)).tolist()
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(
            f"hidden_layer_sizes must hold positive integers, but is {hidden_layer_sizes!r}: one "
            "number of units for each hidden layer."
        )
    return tuple(sizes)
