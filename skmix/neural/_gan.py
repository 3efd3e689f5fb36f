"""A generative adversarial network: new rows from two networks that compete."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._interface import validation
from .._interface.wording import check_random_state
from ._adversaries import Adversaries
from ._autoencoder import by_chunks
from ._base import BaseNetworks, layer_sizes
from ._networks import Network, Units, given_network, random_network
from ._settings import check_betas, check_range, range_units

ACTIVATION = "leaky_relu"


class GenerativeAdversarialNetwork(BaseNetworks):
    r"""New rows by a network that learns to deceive a second one.

    The generator G makes rows of standard normal latent variables z. The discriminator D says how
    probable it is that a row is one of the data. They are trained in turns: D to tell rows of the
    data from generated ones, G to have its rows taken for data. In place of a likelihood there
    are two losses,

    .. math::
        L_D = -\tfrac12 E[\log D(x)] - \tfrac12 E[\log(1 - D(G(z)))], \quad
        L_G = -E[\log D(G(z))],

    of which the second is the non-saturating one. Both are log 2 where D cannot tell.

    Training needs PyTorch, the extra ``torch``; nothing else does.

    Parameters
    ----------
    n_latent : int, default=100
        The number of latent variables.

    hidden_layer_sizes : array-like of int or int, default=(256, 512)
        Units of the generator's hidden layers, from the latents to the rows; the discriminator
        has the same in reverse.

    feature_range : tuple of two floats, default=None
        Least and greatest value of all cells, such as (0, 1) for gray levels; generated rows keep
        to it. None takes the range that each column has in the rows of the fit.

    dropout : float, default=0.3
        Share of the discriminator's hidden units that are left out in each step.

    learning_rate_init : float, default=2e-4
        The step size of Adam, for both networks.

    betas : tuple of two floats, default=(0.5, 0.999)
        How much of its running means of gradients and of their squares Adam keeps from step to
        step.

    label_smoothing : float, default=0.1
        The discriminator learns to say 1 minus this of the data's rows, lest it grows too
        certain for the generator to learn from.

    averaging : float, default=0.999
        The generator that is kept is a running mean of its parameters, of which each step keeps
        this share, and less in the first steps. 0 keeps the parameters of the last step.

    batch_size : int, default=128
        Rows of a step.

    max_epochs : int, default=50
        The number of passes over the rows.

    validation_fraction : float, default=None
        Share of the rows that is held out to draw the validation curves. None holds out none.
        Rows passed to `fit` as `X_val` take their place.

    device : str, default='auto'
        Where to train: a device of PyTorch's, such as 'cpu' or 'cuda'. 'auto' takes a CUDA device
        where there is one.

    random_state : int, RandomState instance or None, default=None
        Controls the start, the order of the rows and the draws of a fit. Pass an int for
        reproducible output on the same machine.

    verbose : int, default=0
        1 prints a line after every epoch, 2 also its seconds.

    warm_start : bool, default=False
        Whether `fit` goes on from the parameters of the last one, for `max_epochs` more.

    Attributes
    ----------
    generator_coefs_ : list of ndarray of shape (n_in, n_out)
        Matrices of the generator's layers, float32. The hyperbolic tangent of its outputs lies
        between -1 and 1.

    generator_intercepts_ : list of ndarray of shape (n_out,)
        Intercepts of the generator's layers, float32.

    discriminator_coefs_ : list of ndarray of shape (n_in, n_out)
        Matrices of the discriminator's layers, float32. Its output is the logit of the
        probability that a row is one of the data.

    discriminator_intercepts_ : list of ndarray of shape (n_out,)
        Intercepts of the discriminator's layers, float32.

    offset_ : ndarray of shape (n_features,)
        The middle of the range of every column: networks see ``(X - offset_) / scale_``.

    scale_ : ndarray of shape (n_features,)
        Half of the range of every column, 0 for a constant one.

    generator_loss_curve_ : list of float
        The mean loss of the generator in every epoch, over its steps (nats per row).

    discriminator_loss_curve_ : list of float
        The mean loss of the discriminator in every epoch, over its steps (nats per row), with
        dropout and smoothed labels.

    validation_generator_loss_curve_ : list of float or None
        The generator's loss after every epoch, without dropout; None without validation rows.

    validation_discriminator_loss_curve_ : list of float or None
        The discriminator's loss after every epoch on validation rows and as many generated ones,
        without dropout or smoothed labels; None without validation rows.

    n_iter_ : int
        The number of epochs, those of earlier fits included where `warm_start` goes on from them.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    VariationalAutoencoder : New rows by a network that has a likelihood.
    skmix.metrics.class_coverage : Shares of classes among generated rows: are any forgotten?
    skmix.metrics.ndb : How far generated rows are distributed as those of the data.

    Notes
    -----
    The losses do not say how good the rows are: they measure each network by the other. A
    generator may forget parts of the data (mode collapse); look at its rows, and count.

    Both networks see the rows of a batch one by one; the generated batch is detached in the step
    of the discriminator. A step costs about 26 floating-point operations per row and weight of a
    network. A fit uses the threads of PyTorch, no more than BLAS and OpenMP are limited to; its
    last bits depend on their number.

    References
    ----------
    I. Goodfellow et al., "Generative adversarial nets", Advances in Neural Information Processing
    Systems 27, 2014. :arxiv:`1406.2661`

    T. Salimans et al., "Improved techniques for training GANs", Advances in Neural Information
    Processing Systems 29, 2016. :arxiv:`1606.03498` (`label_smoothing`)

    Y. Yazıcı et al., "The unusual effectiveness of averaging in GAN training", International
    Conference on Learning Representations, 2019. :arxiv:`1806.04498` (`averaging`)

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmix.neural import GenerativeAdversarialNetwork
    >>> X = load_digits().data / 16
    >>> gan = GenerativeAdversarialNetwork(20, max_epochs=5, feature_range=(0, 1), random_state=0)
    >>> gan.fit(X).sample(3).shape  # doctest: +SKIP
    (3, 64)
    """

    _parameter_constraints: dict = {
        **BaseNetworks._parameter_constraints,
        "feature_range": [tuple, list, None],
        "dropout": [Interval(Real, 0.0, 1.0, closed="left")],
        "betas": [tuple, list],
        "label_smoothing": [Interval(Real, 0.0, 0.5, closed="left")],
    }

    _losses = ("generator_loss", "discriminator_loss")

    def __init__(
        self,
        n_latent=100,
        *,
        hidden_layer_sizes=(256, 512),
        feature_range=None,
        dropout=0.3,
        learning_rate_init=2e-4,
        betas=(0.5, 0.999),
        label_smoothing=0.1,
        averaging=0.999,
        batch_size=128,
        max_epochs=50,
        validation_fraction=None,
        device="auto",
        random_state=None,
        verbose=0,
        warm_start=False,
    ):
        self.n_latent = n_latent
        self.hidden_layer_sizes = hidden_layer_sizes
        self.feature_range = feature_range
        self.dropout = dropout
        self.learning_rate_init = learning_rate_init
        self.betas = betas
        self.label_smoothing = label_smoothing
        self.averaging = averaging
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start

    @classmethod
    def from_parameters(cls, generator, discriminator, *, feature_range):
        """Make a fitted estimator of given networks, trained elsewhere for example.

        Parameters
        ----------
        generator : tuple of two lists
            Matrices, of shape (n_in, n_out) each, and intercepts, of shape (n_out,) each, with
            leaky rectifiers of slope 0.2 between the layers.

        discriminator : tuple of two lists
            The same of the discriminator, whose hidden layers are those of the generator in
            reverse.

        feature_range : tuple of two floats
            Least and greatest value of all cells, which are -1 and 1 to the networks.

        Returns
        -------
        gan : GenerativeAdversarialNetwork
            A fitted estimator; a `fit` of it with `warm_start` goes on from here.

        Raises
        ------
        ValueError
            If shapes do not fit together, or `feature_range` is no range.

        Examples
        --------
        >>> from skmix.neural import GenerativeAdversarialNetwork
        >>> generator = [[[1.0, -1.0]]], [[0.0, 0.0]]  # 1 latent variable, 2 cells
        >>> discriminator = [[[1.0], [1.0]]], [[0.0]]
        >>> gan = GenerativeAdversarialNetwork.from_parameters(
        ...     generator, discriminator, feature_range=(0, 1)
        ... )
        >>> gan.sample(2, random_state=0).sum(axis=1)
        array([1., 1.], dtype=float32)
        """
        networks = {
            "generator": given_network(generator, ACTIVATION, "generator"),
            "discriminator": given_network(discriminator, ACTIVATION, "discriminator"),
        }
        (n_latent, *hidden, n_features), sizes = (network.sizes for network in networks.values())
        if sizes != (n_features, *hidden[::-1], 1):
            raise ValueError(
                f"The generator's layers have the sizes {networks['generator'].sizes}, the "
                f"discriminator's {sizes}: these must be {(n_features, *hidden[::-1], 1)}."
            )
        gan = cls(n_latent, hidden_layer_sizes=hidden, feature_range=feature_range)
        units = range_units(*check_range(feature_range), n_features)
        vars(gan).update(gan._attributes(Adversaries(**networks, units=units)))
        for name in cls._losses:
            setattr(gan, f"{name}_curve_", [])
            setattr(gan, f"validation_{name}_curve_", None)
        gan.n_iter_, gan.n_features_in_ = 0, n_features
        return gan

    # Fitting ----------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, X_val=None):
        """Train both networks in turns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows, complete. They are not copied, nor held in float32 as a whole.

        y : Ignored
            Not used, present for API consistency by convention.

        X_val : array-like of shape (n_validation, n_features), default=None
            Rows on which to compute the validation curves.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ImportError
            If PyTorch is not installed.
        ValueError
            If `X` has missing or infinite cells, or ones outside of `feature_range`, if
            `warm_start` meets other layer sizes, or if a loss diverges. An earlier fit is kept,
            also when the fit is interrupted.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmix.neural import GenerativeAdversarialNetwork
        >>> gan = GenerativeAdversarialNetwork(2, hidden_layer_sizes=(32,), random_state=0)
        >>> gan.fit(load_iris().data).n_iter_  # doctest: +SKIP
        50
        """
        self._fit(X, y, X_val)
        return self

    def _check_values(self, X, *, reset):
        if not reset or self.feature_range is None:
            return
        low, high = check_range(self.feature_range)
        if not (X.min() >= low and X.max() <= high):
            raise ValueError(
                f"feature_range={self.feature_range} does not hold the values of X, which range "
                f"from {X.min():.6g} to {X.max():.6g}. Widen it, scale the rows, or take None for "
                "the range of each column."
            )

    def _expected_sizes(self, n_features):
        hidden = layer_sizes(self.hidden_layer_sizes)
        return {
            "generator": (self.n_latent, *hidden, n_features),
            "discriminator": (n_features, *hidden[::-1], 1),
        }

    def _start(self, X, random_state):
        if self.feature_range is None:
            units = range_units(X.min(axis=0), X.max(axis=0), X.shape[1])
        else:
            units = range_units(*check_range(self.feature_range), X.shape[1])
        networks = {
            name: random_network(sizes, ACTIVATION, random_state)
            for name, sizes in self._expected_sizes(X.shape[1]).items()
        }
        return Adversaries(**networks, units=units)

    def _make_model(self, torch, params, device, seed):
        from ._models import AdversarialModel

        return AdversarialModel(
            torch,
            params,
            device,
            seed,
            learning_rate=self.learning_rate_init,
            betas=check_betas(self.betas),
            dropout=self.dropout,
            label_smoothing=self.label_smoothing,
            averaging=self.averaging,
        )

    def _attributes(self, params):
        return {
            "generator_coefs_": params.generator.coefs,
            "generator_intercepts_": params.generator.intercepts,
            "discriminator_coefs_": params.discriminator.coefs,
            "discriminator_intercepts_": params.discriminator.intercepts,
            "offset_": params.units.offset,
            "scale_": params.units.scale,
        }

    def _fitted_params(self):
        return Adversaries(
            Network(self.generator_coefs_, self.generator_intercepts_, ACTIVATION),
            Network(self.discriminator_coefs_, self.discriminator_intercepts_, ACTIVATION),
            Units(self.offset_, self.scale_),
        )

    # Using a fit ------------------------------------------------------------------------------

    def sample(self, n_samples=1, random_state=None):
        """Draw new rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        random_state : int, RandomState instance or None, default=None
            Controls the draws; None takes the estimator's own.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The rows, float32.

        Examples
        --------
        >>> from skmix.neural import GenerativeAdversarialNetwork
        >>> generator = [[[1.0, -1.0]]], [[0.0, 0.0]]
        >>> discriminator = [[[1.0], [1.0]]], [[0.0]]
        >>> gan = GenerativeAdversarialNetwork.from_parameters(
        ...     generator, discriminator, feature_range=(0, 1)
        ... )
        >>> gan.sample(3, random_state=0).shape
        (3, 2)
        """
        check_is_fitted(self)
        n_samples = validation.check_n_samples(n_samples)
        rng = check_random_state(self.random_state if random_state is None else random_state)
        params = self._fitted_params()
        n_latent, *_, n_features = sizes = params.generator.sizes
        latents = rng.standard_normal((n_samples, n_latent)).astype(np.float32)
        return by_chunks(params.generate, latents, 4 * max(sizes), n_features)

    def discriminate(self, X):
        """Return how probable it is, to the discriminator, that each row is one of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        proba : ndarray of shape (n_samples,)
            Probabilities, where data and generated rows are equally frequent; no share of units
            is left out.

        Examples
        --------
        >>> from skmix.neural import GenerativeAdversarialNetwork
        >>> generator = [[[1.0, -1.0]]], [[0.0, 0.0]]
        >>> discriminator = [[[1.0], [1.0]]], [[0.0]]
        >>> gan = GenerativeAdversarialNetwork.from_parameters(
        ...     generator, discriminator, feature_range=(0, 1)
        ... )
        >>> gan.discriminate([[0.5, 0.5], [1.0, 1.0]]).round(3)
        array([0.5  , 0.881])
        """
        X = self._fitted_rows(X)
        params = self._fitted_params().astype(X.dtype)
        return by_chunks(params.discriminate, X, 4 * max(params.discriminator.sizes))
