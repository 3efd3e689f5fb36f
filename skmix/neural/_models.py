"""The steps of training: what PyTorch does with one batch of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._adversaries import Adversaries
from ._autoencoder import LOG_2PI, LOG_VARIANCE, Autoencoder
from ._torch import Layers

# Noise variances of a Gaussian likelihood stay above this, relative to the columns'.
MIN_NOISE = 1e-6
VALIDATION_SEED = 0


class Trained:
    """Random numbers of a model: those of its steps, and those of its validations."""

    def __init__(self, torch: Any, device: Any, seed: int, averaging: float):
        self._torch = torch
        self._averaging = averaging
        self._n_steps = 0
        self._device = device
        self._steps = torch.Generator(device=device)
        self._steps.manual_seed(seed)
        self._validations = torch.Generator(device=device)

    def begin_validation(self) -> None:
        """Take the random numbers of every validation from their beginning."""
        self._validations.manual_seed(VALIDATION_SEED)

    def epoch_ends(self) -> None:
        """Do what there is to do once an epoch."""

    def _average(self, mean: Layers, layers: Layers) -> None:
        """Move running means of parameters towards the parameters of this step.

        The first steps count for more, so that the start is soon forgotten.
        """
        self._n_steps += 1
        share = max(1.0 - self._averaging, min(1.0, 9.0 / (9.0 + self._n_steps)))
        share = share if self._averaging > 0 else 1.0
        with self._torch.no_grad():
            self._torch._foreach_lerp_(mean.parameters, layers.parameters, share)

    def _normal(self, shape: tuple[int, ...], generator: Any) -> Any:
        return self._torch.randn(shape, generator=generator, device=self._device)

    def _adam(self, parameters: list[Any], learning_rate: float, betas: tuple) -> Any:
        # One kernel for all parameters: an epoch on MNIST takes a third less time.
        return self._torch.optim.Adam(parameters, learning_rate, betas=betas, fused=True)


class AutoencoderModel(Trained):
    """A variational autoencoder in training: one loss, the negative evidence lower bound."""

    def __init__(
        self,
        torch: Any,
        params: Autoencoder,
        device: Any,
        seed: int,
        *,
        learning_rate: float,
        averaging: float,
    ):
        super().__init__(torch, device, seed, averaging)
        self._params = params
        self._encoder = Layers(torch, params.encoder, device)
        self._decoder = Layers(torch, params.decoder, device)
        self._mean_encoder = Layers(torch, params.encoder, device)
        self._mean_decoder = Layers(torch, params.decoder, device)
        self._noise: Any = None
        if params.noise_variance is not None:
            self._noise = torch.tensor(params.noise_variance, device=device)
            self._squares = torch.zeros_like(self._noise)
            scale = np.where(params.units.scale > 0, params.units.scale, 1.0)
            self._log_units = float(np.sum(np.log(scale)))
        self._n_rows = 0
        learned = self._encoder.parameters + self._decoder.parameters
        self._optimizer = self._adam(learned, learning_rate, (0.9, 0.999))

    def step(self, x: Any) -> Any:
        """Learn from a batch; return its mean loss in nats."""
        self._optimizer.zero_grad()
        loss, squares = self._loss(x, self._encoder, self._decoder, self._steps)
        loss.backward()
        self._optimizer.step()
        self._average(self._mean_encoder, self._encoder)
        self._average(self._mean_decoder, self._decoder)
        if squares is not None:
            self._squares += squares.detach().sum(dim=0)
            self._n_rows += len(x)
        return loss.detach()[None]

    def losses(self, x: Any) -> Any:
        """Return the mean loss of a batch in nats."""
        return self._loss(x, self._mean_encoder, self._mean_decoder, self._validations)[0][None]

    def _loss(self, x: Any, encoder: Layers, decoder: Layers, generator: Any) -> tuple[Any, Any]:
        """Return the mean loss, and squared errors where the noise has a variance."""
        torch = self._torch
        means, log_variances = encoder(x).chunk(2, dim=1)
        log_variances = log_variances.clamp(-LOG_VARIANCE, LOG_VARIANCE)
        noise = self._normal(means.shape, generator)
        outputs = decoder(means + torch.exp(0.5 * log_variances) * noise)
        divergence = 0.5 * (means**2 + log_variances.exp() - log_variances - 1.0).sum()
        if self._noise is None:
            misfit = torch.nn.functional.binary_cross_entropy_with_logits(
                outputs, x, reduction="sum"
            )
            return (misfit + divergence) / len(x), None
        squares = (x - outputs) ** 2
        constant = 0.5 * (LOG_2PI + self._noise.log()).sum() + self._log_units
        misfit = 0.5 * (squares / self._noise).sum()
        return (misfit + divergence) / len(x) + constant, squares

    def epoch_ends(self) -> None:
        """Set the noise of every column to its most likely variance, given the epoch's errors."""
        if self._noise is not None:
            self._noise = (self._squares / self._n_rows).clamp(min=MIN_NOISE)
            self._squares = self._torch.zeros_like(self._noise)
            self._n_rows = 0

    def to_numpy(self) -> Autoencoder:
        """Return a copy of the parameters as they are now."""
        noise = None if self._noise is None else self._noise.cpu().numpy().copy()
        return self._params._replace(
            encoder=self._mean_encoder.to_numpy(),
            decoder=self._mean_decoder.to_numpy(),
            noise_variance=noise,
        )


class AdversarialModel(Trained):
    """A generator and a discriminator in training: two losses, in this order.

    Parameters
    ----------
    torch : module
        PyTorch.
    params : Adversaries
        The parameters to start from.
    device : torch.device
        Where to train.
    seed : int
        Seed of all random numbers.
    learning_rate, betas : float, tuple of two floats
        Of Adam.
    dropout : float
        Share of the discriminator's hidden units that are left out in each step.
    label_smoothing : float
        What the probabilities that the discriminator gives to rows of the data shall miss to 1.
    averaging : float
        Share that the mean of the generator's parameters keeps in each step.
    """

    def __init__(
        self,
        torch: Any,
        params: Adversaries,
        device: Any,
        seed: int,
        *,
        learning_rate: float,
        betas: tuple[float, float],
        dropout: float,
        label_smoothing: float,
        averaging: float,
    ):
        super().__init__(torch, device, seed, averaging)
        self._params = params
        self._n_latent = params.generator.sizes[0]
        self._generator = Layers(torch, params.generator, device)
        self._mean = Layers(torch, params.generator, device)  # of the generator's parameters
        self._discriminator = Layers(torch, params.discriminator, device)
        self._g_optimizer = self._adam(self._generator.parameters, learning_rate, betas)
        self._d_optimizer = self._adam(self._discriminator.parameters, learning_rate, betas)
        self._dropout = dropout
        self._smoothed = 1.0 - label_smoothing

    def step(self, x: Any) -> Any:
        """Teach the discriminator, then the generator; return the mean losses of both."""
        torch = self._torch
        generated = self._generate(self._generator, len(x), self._steps)
        for weight in self._discriminator.parameters:
            weight.requires_grad_(True)
        self._d_optimizer.zero_grad()
        real, fake = self._judge(x), self._judge(generated.detach())
        d_loss = 0.5 * (self._misfit(real, self._smoothed) + self._misfit(fake, 0.0))
        d_loss.backward()
        self._d_optimizer.step()
        # The generator's gradients go through the discriminator, which needs none itself.
        for weight in self._discriminator.parameters:
            weight.requires_grad_(False)
        self._g_optimizer.zero_grad()
        g_loss = self._misfit(self._judge(generated), 1.0)
        g_loss.backward()
        self._g_optimizer.step()
        self._average(self._mean, self._generator)
        return torch.stack([g_loss.detach(), d_loss.detach()])

    def losses(self, x: Any) -> Any:
        """Return mean losses on validation rows and as many generated ones, without dropout."""
        generated = self._generate(self._mean, len(x), self._validations)
        real, fake = self._discriminator(x), self._discriminator(generated)
        d_loss = 0.5 * (self._misfit(real, 1.0) + self._misfit(fake, 0.0))
        return self._torch.stack([self._misfit(fake, 1.0), d_loss])

    def _generate(self, generator: Layers, n_rows: int, random: Any) -> Any:
        return self._torch.tanh(generator(self._normal((n_rows, self._n_latent), random)))

    def _judge(self, x: Any) -> Any:
        return self._discriminator(x, self._drop if self._dropout > 0 else None)

    def _drop(self, hidden: Any) -> Any:
        # Not torch's own dropout, whose random numbers are those of the whole process.
        kept = self._torch.empty_like(hidden).bernoulli_(1 - self._dropout, generator=self._steps)
        return hidden * kept.div_(1 - self._dropout)

    def _misfit(self, logits: Any, target: float) -> Any:
        targets = self._torch.full_like(logits, target)
        return self._torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)

    def to_numpy(self) -> Adversaries:
        """Return a copy of the parameters as they are now, those of the generator averaged."""
        return self._params._replace(
            generator=self._mean.to_numpy(), discriminator=self._discriminator.to_numpy()
        )
