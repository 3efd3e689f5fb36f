"""What needs PyTorch of every fit: its import, its threads, layers, and the loop over epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import threadpoolctl

from ._networks import LEAK, Network

# Rows of which losses are computed at once, where nothing is learned.
EVALUATED = 1024


def import_torch(estimator: Any) -> Any:
    """Import PyTorch, or say how to install it."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"{type(estimator).__name__}.fit trains with PyTorch, which is not installed. Install "
            'the extra: python -m pip install "skmix[torch]". Fitted estimators work without it.'
        ) from error
    return torch


def choose_device(torch: Any, device: str) -> Any:
    """Return the device that 'auto' or a name of PyTorch's stands for."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} cannot be used: {error} Take 'cpu', or 'auto' for a GPU where "
            "there is one."
        ) from error
    return chosen


@contextmanager
def limited_threads(torch: Any) -> Iterator[None]:
    """Context in which PyTorch has no more threads than BLAS and OpenMP may have elsewhere."""
    allowed = torch.get_num_threads()
    limits = [library["num_threads"] for library in threadpoolctl.threadpool_info()]
    torch.set_num_threads(min([allowed, *limits]))
    try:
        yield
    finally:
        torch.set_num_threads(allowed)


class Layers:
    """A network as PyTorch trains it.

    Parameters
    ----------
    torch : module
        PyTorch.
    network : Network
        The parameters to start from.
    device : torch.device
        Where to keep them.
    """

    def __init__(self, torch: Any, network: Network, device: Any):
        functions = {
            "relu": torch.relu,
            "leaky_relu": lambda x: torch.nn.functional.leaky_relu(x, LEAK),
            "tanh": torch.tanh,
            "logistic": torch.sigmoid,
        }
        self._linear = torch.nn.functional.linear
        self._activation = network.activation
        self._activate = functions[network.activation]

        def parameter(array):
            # A copy: training must not change the arrays of an earlier fit.
            tensor = torch.tensor(np.ascontiguousarray(array), dtype=torch.float32, device=device)
            return tensor.requires_grad_(True)

        self.weights = [parameter(coef.T) for coef in network.coefs]
        self.biases = [parameter(intercept) for intercept in network.intercepts]

    @property
    def parameters(self) -> list[Any]:
        """All that is learned."""
        return [*self.weights, *self.biases]

    def __call__(self, x: Any, after: Callable[[Any], Any] | None = None) -> Any:
        """Return the outputs; `after` follows every activation."""
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer > 0:
                x = self._activate(x)
                x = x if after is None else after(x)
            x = self._linear(x, weight, bias)
        return x

    def to_numpy(self) -> Network:
        """Return a copy of the parameters as they are now."""
        coefs = [np.ascontiguousarray(w.detach().cpu().numpy().T) for w in self.weights]
        intercepts = [b.detach().cpu().numpy().copy() for b in self.biases]
        return Network(coefs, intercepts, self._activation)


class Model(Protocol):
    """What the loop over epochs asks of a model that is trained."""

    def step(self, x: Any) -> Any:
        """Learn from a batch; return its mean losses, a tensor (n_losses,)."""

    def losses(self, x: Any) -> Any:
        """Return the mean losses of a batch of validation rows, a tensor (n_losses,)."""

    def epoch_ends(self) -> None:
        """Do what there is to do once an epoch."""

    def begin_validation(self) -> None:
        """Take the random numbers of every validation from their beginning."""

    def to_numpy(self) -> Any:
        """Return what has been learned so far, as arrays of its own."""


class Batches:
    """Rows, cut into batches of tensors in the units in which networks are trained.

    Parameters
    ----------
    torch : module
        PyTorch.
    X : ndarray of shape (n_samples, n_features)
        The rows, which are never copied as a whole.
    to_units : callable
        From rows to float32 rows in the units of the networks.
    device : torch.device
        Where batches go.
    """

    def __init__(self, torch: Any, X: np.ndarray, to_units: Callable, device: Any):
        self._torch = torch
        self._X = X
        self._to_units = to_units
        self._device = device

    def __len__(self) -> int:
        return len(self._X)

    def _tensor(self, rows: Any) -> Any:
        batch = np.ascontiguousarray(self._to_units(self._X[rows]))
        return self._torch.from_numpy(batch).to(self._device)

    def shuffled(self, batch_size: int, random_state: np.random.RandomState) -> Iterator[Any]:
        """Yield all rows once, in a new order."""
        order = random_state.permutation(len(self._X))
        for start in range(0, len(order), batch_size):
            yield self._tensor(order[start : start + batch_size])

    def in_order(self) -> Iterator[Any]:
        """Yield all rows from first to last."""
        for start in range(0, len(self._X), EVALUATED):
            # A list of indices, because that copies: PyTorch dislikes rows it may not write to.
            yield self._tensor(np.arange(start, min(start + EVALUATED, len(self._X))))


def train_epoch(
    torch: Any,
    model: Model,
    rows: Batches,
    batch_size: int,
    random_state: np.random.RandomState,
) -> np.ndarray:
    """Learn from all rows once; return the mean losses on the way, (n_losses,)."""
    total: Any = 0.0
    for x in rows.shuffled(batch_size, random_state):
        total = total + len(x) * model.step(x).double()
    model.epoch_ends()
    return (total / len(rows)).cpu().numpy()


def validate(torch: Any, model: Model, rows: Batches) -> np.ndarray:
    """Return the mean losses on validation rows, (n_losses,)."""
    total: Any = 0.0
    model.begin_validation()
    with torch.no_grad():
        for x in rows.in_order():
            total = total + len(x) * model.losses(x).double()
    return (total / len(rows)).cpu().numpy()
