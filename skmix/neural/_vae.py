"""A variational autoencoder: a density and new rows from a network with a latent Gaussian."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from ._autoencoder import Autoencoder
from ._base import BaseNetworks, layer_sizes
from ._decoding import DecodingNetworks
from ._networks import Network, Units, given_network, random_network


class VariationalAutoencoder(DecodingNetworks):
    r"""Density of rows by a network that decodes latent Gaussian variables.

    A row x comes from latent variables z of a standard normal distribution, by a network (the
    decoder) whose outputs are the means of the cells. A second network (the encoder) says which z
    a row may come from: independent normal distributions q(z | x). Both are trained together, on
    the evidence lower bound

    .. math:: \log p(x) \ge E_{q(z|x)}[\log p(x|z)] - \mathrm{KL}(q(z|x) \,\|\, p(z)).

    Training needs PyTorch, the extra ``torch``; nothing else does.

    Parameters
    ----------
    n_latent : int, default=20
        The number of latent variables.

    hidden_layer_sizes : array-like of int or int, default=(400,)
        Units of the encoder's hidden layers, from the rows to the latents; the decoder has the
        same in reverse. Empty makes both linear: with `likelihood='gaussian'`, a factor analysis.

    likelihood : {'bernoulli', 'gaussian'}, default='bernoulli'
        What a cell is, given the latents. 'bernoulli' takes values in [0, 1]: 0 and 1, or gray
        levels, of which the decoder's mean is learned all the same. 'gaussian' takes any numbers;
        every column has its own variance of the noise, learned too, and columns are standardised
        inside.

    activation : {'relu', 'tanh', 'logistic'}, default='relu'
        The activation of hidden units, by the names of
        :class:`~sklearn.neural_network.MLPClassifier`.

    learning_rate_init : float, default=1e-3
        The step size of Adam.

    batch_size : int, default=128
        Rows of a step.

    max_epochs : int, default=50
        The largest number of passes over the rows.

    validation_fraction : float, default=None
        Share of the rows that is held out to draw `validation_loss_curve_`. None holds out none.
        Rows passed to `fit` as `X_val` take their place.

    early_stopping : bool, default=False
        Whether to stop when `n_iter_no_change` epochs in a row have not lowered the validation
        loss, and to keep the parameters of the lowest one.

    n_iter_no_change : int, default=5
        Epochs that early stopping waits.

    averaging : float, default=0.999
        The parameters that are kept are running means, of which each step keeps this share, and
        less in the first steps. 0 keeps the parameters of the last step.

    device : str, default='auto'
        Where to train: a device of PyTorch's, such as 'cpu' or 'cuda'. 'auto' takes a CUDA device
        where there is one.

    random_state : int, RandomState instance or None, default=None
        Controls the start, the order of the rows and the draws of a fit. Pass an int for
        reproducible output on the same machine.

    verbose : int, default=0
        1 prints a line after every epoch, 2 also its seconds.

    warm_start : bool, default=False
        Whether `fit` goes on from the parameters of the last one, for up to `max_epochs` more.

    Attributes
    ----------
    encoder_coefs_ : list of ndarray of shape (n_in, n_out)
        Matrices of the encoder's layers, float32. Its outputs are the means, then the log
        variances of the latents.

    encoder_intercepts_ : list of ndarray of shape (n_out,)
        Intercepts of the encoder's layers, float32.

    decoder_coefs_ : list of ndarray of shape (n_in, n_out)
        Matrices of the decoder's layers, float32. Its outputs are means of cells or, for
        'bernoulli', their logits.

    decoder_intercepts_ : list of ndarray of shape (n_out,)
        Intercepts of the decoder's layers, float32.

    noise_variance_ : ndarray of shape (n_features,) or None
        Variances of the cells given the latents, in units of the networks; None for 'bernoulli'.

    offset_ : ndarray of shape (n_features,)
        Means of the columns: networks see ``(X - offset_) / scale_``. Zeros for 'bernoulli'.

    scale_ : ndarray of shape (n_features,)
        Standard deviations of the columns, 0 for a constant one. Ones for 'bernoulli'.

    loss_curve_ : list of float
        The mean negative evidence lower bound of every epoch, over its steps (nats per row).

    validation_loss_curve_ : list of float or None
        The same on validation rows, after every epoch; None without such rows.

    n_iter_ : int
        The number of epochs, those of earlier fits included where `warm_start` goes on from them.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    GenerativeAdversarialNetwork : New rows by two networks, without a density.
    skmix.GaussianMixture : A density whose likelihood is exact.
    sklearn.decomposition.FactorAnalysis : The linear case.

    Notes
    -----
    A step costs about 12 floating-point operations per row and weight. `score_samples` and `elbo`
    use one seeded set of latent draws for all rows, so that a row's bound depends neither on the
    other rows nor on their order. A fit uses the threads of PyTorch, no more than BLAS and OpenMP
    are limited to; its last bits depend on their number. Predictions are made in the type of the
    rows, float64 or float32, from parameters in float32, and are the same for any number of
    threads.

    Gray levels are no zeros and ones: their 'bernoulli' bound, which is customary, is not the log
    of a density over [0, 1], and compares to other Bernoulli models only.

    References
    ----------
    B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM
    Journal on Control and Optimization 30(4), 1992. :doi:`10.1137/0330046` (`averaging`)

    D. P. Kingma, M. Welling, "Auto-encoding variational Bayes", International Conference on
    Learning Representations, 2014. :arxiv:`1312.6114`

    Y. Burda, R. Grosse, R. Salakhutdinov, "Importance weighted autoencoders", International
    Conference on Learning Representations, 2016. :arxiv:`1509.00519`

    O. Rybkin, K. Daniilidis, S. Levine, "Simple and effective VAE training with calibrated
    decoders", International Conference on Machine Learning, 2021. :arxiv:`2006.13202` (the
    variances of 'gaussian')

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmix.neural import VariationalAutoencoder
    >>> X = load_digits().data / 16
    >>> vae = VariationalAutoencoder(5, max_epochs=10, random_state=0)
    >>> vae.fit(X).transform(X).shape  # doctest: +SKIP
    (1797, 5)
    >>> vae.loss_curve_[-1] < vae.loss_curve_[0]  # doctest: +SKIP
    True
    """

    _parameter_constraints: dict = {
        **BaseNetworks._parameter_constraints,
        "likelihood": [StrOptions({"bernoulli", "gaussian"})],
        "activation": [StrOptions({"relu", "tanh", "logistic"})],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    }

    _losses = ("loss",)
    _remedy_for_missing = (
        "Fill missing cells before, by skmix.ConditionalGMMInpainter for example, or drop the "
        "rows; once it is fitted, impute fills them."
    )

    def __init__(
        self,
        n_latent=20,
        *,
        hidden_layer_sizes=(400,),
        likelihood="bernoulli",
        activation="relu",
        learning_rate_init=1e-3,
        batch_size=128,
        max_epochs=50,
        validation_fraction=None,
        early_stopping=False,
        n_iter_no_change=5,
        averaging=0.999,
        device="auto",
        random_state=None,
        verbose=0,
        warm_start=False,
    ):
        self.n_latent = n_latent
        self.hidden_layer_sizes = hidden_layer_sizes
        self.likelihood = likelihood
        self.activation = activation
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.averaging = averaging
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start

    @classmethod
    def from_parameters(
        cls,
        encoder,
        decoder,
        *,
        likelihood="bernoulli",
        activation="relu",
        noise_variance=None,
    ):
        """Make a fitted autoencoder of given networks, trained elsewhere for example.

        Parameters
        ----------
        encoder : tuple of two lists
            Matrices, of shape (n_in, n_out) each, and intercepts, of shape (n_out,) each. The
            last layer puts out means and then log variances of the latents.

        decoder : tuple of two lists
            The same of the decoder: from latents to means of cells, or logits for 'bernoulli'.

        likelihood : {'bernoulli', 'gaussian'}, default='bernoulli'
            What a cell is, given the latents.

        activation : {'relu', 'tanh', 'logistic'}, default='relu'
            The activation of hidden units.

        noise_variance : array-like of shape (n_features,), default=None
            Variances of cells given the latents, in squared units of the rows, for 'gaussian'
            only.

        Returns
        -------
        vae : VariationalAutoencoder
            A fitted estimator; a `fit` of it with `warm_start` goes on from here.

        Raises
        ------
        ValueError
            If shapes do not fit together, or `noise_variance` is missing, not positive, or given
            for 'bernoulli'.

        Examples
        --------
        >>> from skmix.neural import VariationalAutoencoder
        >>> encoder = [[[2.0, 0.0], [-2.0, 0.0]]], [[0.0, -1.0]]  # 2 cells, 1 latent variable
        >>> decoder = [[[1.0, -1.0]]], [[0.0, 0.0]]
        >>> vae = VariationalAutoencoder.from_parameters(encoder, decoder)
        >>> vae.transform([[1.0, 0.0], [0.0, 1.0]])
        array([[ 2.],
               [-2.]])
        """
        networks = {
            "encoder": given_network(encoder, activation, "encoder"),
            "decoder": given_network(decoder, activation, "decoder"),
        }
        (n_features, *hidden, n_outputs), sizes = (network.sizes for network in networks.values())
        if sizes != (n_outputs // 2, *hidden[::-1], n_features) or n_outputs % 2:
            raise ValueError(
                f"The encoder's layers have the sizes {networks['encoder'].sizes}, the decoder's "
                f"{sizes}: the decoder must have those of the encoder in reverse, with half as "
                "many inputs as the encoder has outputs."
            )
        vae = cls(
            sizes[0], hidden_layer_sizes=hidden, likelihood=likelihood, activation=activation
        )
        noise = check_noise(noise_variance, likelihood, n_features)
        units = Units(np.zeros(n_features), np.ones(n_features))
        vars(vae).update(
            vae._attributes(Autoencoder(**networks, noise_variance=noise, units=units))
        )
        vae.loss_curve_, vae.validation_loss_curve_, vae.n_iter_ = [], None, 0
        vae.n_features_in_ = n_features
        return vae

    # Fitting ----------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, X_val=None):
        """Train both networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows, complete. They are not copied, nor held in float32 as a whole.

        y : Ignored
            Not used, present for API consistency by convention.

        X_val : array-like of shape (n_validation, n_features), default=None
            Rows on which to compute `validation_loss_curve_`, and by which to stop early.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ImportError
            If PyTorch is not installed.
        ValueError
            If `X` has missing or infinite cells, or ones outside of [0, 1] with 'bernoulli', if
            early stopping has no validation rows, if `warm_start` meets other layer sizes, or if
            the loss diverges. An earlier fit is kept, also when the fit is interrupted.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmix.neural import VariationalAutoencoder
        >>> vae = VariationalAutoencoder(2, likelihood="gaussian", batch_size=16, random_state=0)
        >>> vae.fit(load_iris().data).n_iter_  # doctest: +SKIP
        50
        """
        self._fit(X, y, X_val)
        return self

    def _check_values(self, X, *, reset):
        if self.likelihood == "bernoulli" and X.size and not (X.min() >= 0 and X.max() <= 1):
            raise ValueError(
                "likelihood='bernoulli' takes values from 0 to 1, but those of X range from "
                f"{X.min():.6g} to {X.max():.6g}. Scale them, by "
                "sklearn.preprocessing.MinMaxScaler(clip=True) for example, or take "
                "likelihood='gaussian'."
            )

    def _expected_sizes(self, n_features):
        hidden = layer_sizes(self.hidden_layer_sizes)
        return {
            "encoder": (n_features, *hidden, 2 * self.n_latent),
            "decoder": (self.n_latent, *hidden[::-1], n_features),
        }

    def _start(self, X, random_state):
        n_features = X.shape[1]
        noise, units = None, Units(np.zeros(n_features), np.ones(n_features))
        if self.likelihood == "gaussian":
            noise = np.ones(n_features, dtype=np.float32)
            units = Units(X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64))
        networks = {
            name: random_network(sizes, self.activation, random_state)
            for name, sizes in self._expected_sizes(n_features).items()
        }
        return Autoencoder(**networks, noise_variance=noise, units=units)

    def _make_model(self, torch, params, device, seed):
        from ._models import AutoencoderModel

        return AutoencoderModel(
            torch,
            params,
            device,
            seed,
            learning_rate=self.learning_rate_init,
            averaging=self.averaging,
        )

    def _attributes(self, params):
        return {
            "encoder_coefs_": params.encoder.coefs,
            "encoder_intercepts_": params.encoder.intercepts,
            "decoder_coefs_": params.decoder.coefs,
            "decoder_intercepts_": params.decoder.intercepts,
            "noise_variance_": params.noise_variance,
            "offset_": params.units.offset,
            "scale_": params.units.scale,
        }

    def _fitted_params(self):
        return Autoencoder(
            Network(self.encoder_coefs_, self.encoder_intercepts_, self.activation),
            Network(self.decoder_coefs_, self.decoder_intercepts_, self.activation),
            self.noise_variance_,
            Units(self.offset_, self.scale_),
        )


def check_noise(noise_variance: Any, likelihood: str, n_features: int) -> np.ndarray | None:
    """Check given variances of noise; None for 'bernoulli', which has none."""
    if likelihood == "bernoulli" and noise_variance is None:
        return None
    noise = np.asarray(noise_variance, dtype=np.float32)
    if likelihood == "bernoulli" or noise.shape != (n_features,) or not np.all(noise > 0):
        raise ValueError(
            "noise_variance must hold a positive variance for each of the "
            f"{n_features} features with likelihood='gaussian', and be None with 'bernoulli', but "
            f"is {noise_variance!r} with {likelihood!r}."
        )
    return noise
