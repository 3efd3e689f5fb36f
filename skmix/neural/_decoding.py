"""What a fitted autoencoder is used for: latents, bounds, new rows, missing cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, DensityMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from .._interface import validation
from .._interface.wording import check_random_state, naming
from ._autoencoder import Autoencoder, by_chunks, evidence_bound, importance_bound, latent_draws
from ._base import BaseNetworks
from ._imputation import fill


class DecodingNetworks(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, BaseNetworks
):
    """Methods of an autoencoder that need nothing but its fitted arrays."""

    likelihood: str
    noise_variance_: Any
    decoder_coefs_: list[np.ndarray]
    scale_: np.ndarray

    def _fitted_params(self) -> Autoencoder:
        raise NotImplementedError

    @property
    def _n_features_out(self):
        return len(self.decoder_coefs_[0])

    def _apply(self, function, X, n_outputs=0):
        """Apply a function of the model and of rows in its units, chunk by chunk."""
        model = self._fitted_params().astype(X.dtype)
        widest = max(model.encoder.sizes + model.decoder.sizes)
        return by_chunks(
            lambda rows: function(model, model.units.forth(rows)), X, 4 * widest, n_outputs
        )

    def transform(self, X):
        """Return the means of the latents of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_latent)
            Posterior means by the encoder.

        Examples
        --------
        >>> from skmix.neural import VariationalAutoencoder
        >>> encoder = [[[2.0, 0.0], [-2.0, 0.0]]], [[0.0, -1.0]]
        >>> decoder = [[[1.0, -1.0]]], [[0.0, 0.0]]
        >>> vae = VariationalAutoencoder.from_parameters(encoder, decoder)
        >>> vae.transform([[0.5, 0.5]])
        array([[0.]])
        """
        X = self._fitted_rows(X)
        return self._apply(lambda model, rows: model.posterior(rows)[0], X, self._n_features_out)

    def inverse_transform(self, X):
        """Return the means of the cells of rows with given latents.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_latent)
            Latents, as `transform` returns them.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Means by the decoder, in the units of the rows.

        Examples
        --------
        >>> from skmix.neural import VariationalAutoencoder
        >>> encoder = [[[2.0, 0.0], [-2.0, 0.0]]], [[0.0, -1.0]]
        >>> decoder = [[[1.0, -1.0]]], [[0.0, 0.0]]
        >>> vae = VariationalAutoencoder.from_parameters(encoder, decoder)
        >>> vae.inverse_transform([[0.0], [2.0]]).round(3)
        array([[0.5  , 0.5  ],
               [0.881, 0.119]])
        """
        check_is_fitted(self)
        with naming("X", "an array of numbers"):
            Z = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        if Z.shape[1] != self._n_features_out:
            raise ValueError(
                f"X must have a column for each of the {self._n_features_out} latents, but has "
                f"{Z.shape[1]}."
            )
        return self._decode(Z)

    def _decode(self, Z):
        model = self._fitted_params().astype(Z.dtype)
        n_features = model.decoder.sizes[-1]
        return by_chunks(
            lambda latents: model.units.back(model.means(model.decoder(latents))),
            Z,
            4 * max(model.decoder.sizes),
            n_features,
        )

    def reconstruct(self, X):
        """Return every row as its latents describe it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
            The same as ``inverse_transform(transform(X))``.

        Examples
        --------
        >>> from skmix.neural import VariationalAutoencoder
        >>> encoder = [[[2.0, 0.0], [-2.0, 0.0]]], [[0.0, -1.0]]
        >>> decoder = [[[1.0, -1.0]]], [[0.0, 0.0]]
        >>> vae = VariationalAutoencoder.from_parameters(encoder, decoder)
        >>> vae.reconstruct([[1.0, 0.0]]).round(3)
        array([[0.881, 0.119]])
        """
        X = self._fitted_rows(X)

        def decoded(model, rows):
            outputs = model.decoder(model.posterior(rows)[0])
            return model.units.back(model.means(outputs))

        return self._apply(decoded, X, X.shape[1])

    def score_samples(self, X, *, n_draws=100, random_state=0):
        """Return the importance-weighted bound on the log density of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        n_draws : int, default=100
            Draws of the latents. The bound grows with them towards the log density; the time
            does, too. One draw gives the evidence lower bound, in expectation.

        random_state : int, RandomState instance or None, default=0
            Controls the draws, which are the same for all rows.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
            Lower bounds, in expectation over draws, of the log densities (nats).

        Examples
        --------
        >>> from skmix.neural import VariationalAutoencoder
        >>> encoder = [[[0.0, 0.0], [0.0, 0.0]]], [[0.0, 0.0]]
        >>> decoder = [[[0.0, 0.0]]], [[0.0, 0.0]]  # all cells are 1 with probability 1/2
        >>> vae = VariationalAutoencoder.from_parameters(encoder, decoder)
        >>> vae.score_samples([[1.0, 0.0]]).round(4)  # 2 log(1/2)
        array([-1.3863])
        """
        return self._bound(importance_bound, X, n_draws, random_state)

    def elbo(self, X, *, n_draws=10, random_state=0):
        """Return the evidence lower bound of every row, which training maximises.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        n_draws : int, default=10
            Draws of the latents, over which the log-likelihood is averaged.

        random_state : int, RandomState instance or None, default=0
            Controls the draws, which are the same for all rows.

        Returns
        -------
        elbo : ndarray of shape (n_samples,)
            Evidence lower bounds (nats).

        Examples
        --------
        >>> from skmix.neural import VariationalAutoencoder
        >>> encoder = [[[0.0, 0.0], [0.0, 0.0]]], [[1.0, 0.0]]  # a mean of 1 costs 1/2
        >>> decoder = [[[0.0, 0.0]]], [[0.0, 0.0]]
        >>> vae = VariationalAutoencoder.from_parameters(encoder, decoder)
        >>> vae.elbo([[1.0, 0.0]]).round(4)
        array([-1.8863])
        """
        return self._bound(evidence_bound, X, n_draws, random_state)

    def _bound(self, bound, X, n_draws, random_state):
        X = self._fitted_rows(X)
        n_draws = validation.check_n_samples(n_draws, "n_draws")
        rng = check_random_state(random_state)
        noise = latent_draws(n_draws, self._n_features_out, rng).astype(X.dtype)
        return self._apply(lambda model, rows: bound(model, rows, noise), X)

    def score(self, X, y=None):
        """Return the mean of `score_samples`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        log_likelihood : float
            Mean importance-weighted bound per row, of 100 draws (nats).

        Examples
        --------
        >>> from skmix.neural import VariationalAutoencoder
        >>> encoder = [[[0.0, 0.0], [0.0, 0.0]]], [[0.0, 0.0]]
        >>> decoder = [[[0.0, 0.0]]], [[0.0, 0.0]]
        >>> vae = VariationalAutoencoder.from_parameters(encoder, decoder)
        >>> round(vae.score([[1.0, 0.0], [0.0, 0.0]]), 4)
        -1.3863
        """
        return float(np.mean(self.score_samples(X), dtype=np.float64))

    def sample(self, n_samples=1, random_state=None, *, noise=None):
        """Draw new rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        random_state : int, RandomState instance or None, default=None
            Controls the draws; None takes the estimator's own.

        noise : bool, default=None
            Whether cells are drawn, given the latents, or are their means. None draws them for
            'gaussian', and takes means for 'bernoulli', which are its gray levels.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The rows, float32.

        Examples
        --------
        >>> from skmix.neural import VariationalAutoencoder
        >>> encoder = [[[2.0, 0.0], [-2.0, 0.0]]], [[0.0, -1.0]]
        >>> decoder = [[[1.0, -1.0]]], [[0.0, 0.0]]
        >>> vae = VariationalAutoencoder.from_parameters(encoder, decoder)
        >>> vae.sample(3, random_state=0).shape
        (3, 2)
        """
        check_is_fitted(self)
        n_samples = validation.check_n_samples(n_samples)
        rng = check_random_state(self.random_state if random_state is None else random_state)
        Z = rng.standard_normal((n_samples, self._n_features_out)).astype(np.float32)
        X = self._decode(Z)
        if noise is None:
            noise = self.likelihood == "gaussian"
        if not noise:
            return X
        if self.likelihood == "bernoulli":
            return (rng.random_sample(X.shape) < X).astype(np.float32)
        std = np.sqrt(self.noise_variance_) * self.scale_
        return (X + std * rng.standard_normal(X.shape)).astype(np.float32)

    def impute(self, X, *, n_iter=100, random_state=0):
        """Return rows with missing cells filled by their mean given the observed ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows, NaN where a cell is missing.

        n_iter : int, default=100
            Draws of the latents. Means are taken over the second half.

        random_state : int, RandomState instance or None, default=0
            Controls the draws, which are the same for all rows.

        Returns
        -------
        X_filled : ndarray of shape (n_samples, n_features)
            A copy without missing cells; observed ones are as they were.

        Notes
        -----
        Latents are drawn given the observed cells by Hamiltonian Monte Carlo, which follows the
        gradient of the decoder's likelihood; they start from the best of a thousand draws of the
        model. The encoder, which has seen complete rows only, takes no part. A turn costs about 20
        floating-point operations per row and weight of the decoder.

        References
        ----------
        R. M. Neal, "MCMC using Hamiltonian dynamics", in Handbook of Markov Chain Monte Carlo,
        2011. :arxiv:`1206.1901`

        P.-A. Mattei, J. Frellsen, "Leveraging the exact likelihood of deep latent variable
        models", Advances in Neural Information Processing Systems 31, 2018. :arxiv:`1802.04826`

        Examples
        --------
        >>> import numpy as np
        >>> from skmix.neural import VariationalAutoencoder
        >>> encoder = [[[9.0, 0.0], [0.0, 0.0]]], [[-4.5, -9.0]]
        >>> decoder = [[[9.0, -9.0]]], [[0.0, 0.0]]  # the second cell is what the first is not
        >>> vae = VariationalAutoencoder.from_parameters(encoder, decoder)
        >>> vae.impute([[1.0, np.nan], [0.0, np.nan]]).round(1)
        array([[1. , 0.1],
               [0. , 0.9]])
        """
        check_is_fitted(self)
        X = validation.validate_rows(self, X, reset=False)
        n_iter = validation.check_n_samples(n_iter, "n_iter")
        self._check_values(X[~np.isnan(X)], reset=False)
        rng = check_random_state(random_state)
        return fill(self._fitted_params(), X, n_iter, rng)
