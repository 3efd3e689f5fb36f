"""New digits by networks and by mixtures, judged on one scale.

    python benchmarks/generate_images.py --data DIR      # or the environment variable SKMIX_DATA
    python benchmarks/generate_images.py --epochs 10 --seeds 1 --train 10000      # a quick look

DIR holds the folder `mnist` with its four original gzipped IDX files. PyTorch is needed, the extra
`torch`. For MNIST, gray levels in [0, 1] that are not binarised, this prints

- the variational autoencoder 784-400-20: bounds on the test images (the negative evidence lower
  bound and the importance-weighted bound of 200 draws, nats), and the time of an epoch beside a
  plain loop of PyTorch, in pairs of a few steps each;
- the generative adversarial network, for every seed: losses, shares of the ten digits among
  10 000 samples by the classifier of `classify_images.py`, of which only those count that it is
  sure of by .9 or more, and the time of an epoch;
- a table of both and of mixtures behind PCA: the number of statistically different bins of 100
  (k-means of 45 000 training images, 10 000 samples; |z| above 3 and above 4), the rarest digit,
  the likelihood where there is one, the seconds of training, and the error of 1000 test images of
  which 90 % of the pixels are missing, filled in.

The baselines of the bins are images that were held out of them (the last 10 000 training images),
test images, and 10 000 of those training images that show no nine. Samples are cut to [0, 1].
Networks are trained on all training images, as the table's mixtures are. `--threads` limits
PyTorch and BLAS.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from classify_images import pipeline
from datasets import argument_parser, load_images, parse, timed
from results import record
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

from skmix import GaussianMixture
from skmix.metrics import class_coverage, ndb
from skmix.neural import GenerativeAdversarialNetwork, VariationalAutoencoder

N_SAMPLES = 10_000
N_BINNED = 45_000
N_DRAWS = 200
N_RESTORED = 1000
MISSING = 0.9
# What classify_images.py chooses for MNIST by cross-validation.
CHOSEN = dict(n_components=40, covariance_type="full", shrinkage=30.0, reg_covar=0.05)
LIMITS = (3.0, 4.0)


def train_classifier(X, y):
    model = pipeline(50, **CHOSEN).set_params(gray=FunctionTransformer(np.sqrt))
    return model.fit(X, y)


# The autoencoder, and a plain loop beside it.


class PlainLoop:
    """What one would write: the same network, loss and optimizer, in a page of PyTorch."""

    def __init__(self, X, seed=0):
        import torch

        torch.manual_seed(seed)
        self.torch, self.X = torch, torch.from_numpy(X)
        self.encoder, self.decoder = (
            torch.nn.Sequential(
                torch.nn.Linear(n_in, 400), torch.nn.ReLU(), torch.nn.Linear(400, n_out)
            )
            for n_in, n_out in ((X.shape[1], 40), (20, X.shape[1]))
        )
        learned = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.adam = torch.optim.Adam(learned, 1e-3)

    def epoch(self):
        torch, total = self.torch, 0.0
        for rows in torch.randperm(len(self.X)).split(128):
            x = self.X[rows]
            mean, log_var = self.encoder(x).chunk(2, 1)
            noise = torch.randn_like(mean)
            p = torch.sigmoid(self.decoder(mean + (0.5 * log_var).exp() * noise))
            misfit = torch.nn.functional.binary_cross_entropy(p, x, reduction="sum")
            loss = misfit - 0.5 * (1 + log_var - mean**2 - log_var.exp()).sum()
            self.adam.zero_grad()
            (loss / len(x)).backward()
            self.adam.step()
            total += loss.item()
        return total / len(self.X)


def time_epochs(X, n_pairs=5, share=8):
    """Medians over pairs of runs: seconds of an epoch of the loop, and the ratio to it."""
    X = X[: len(X) // share]
    loop = PlainLoop(X)
    vae = VariationalAutoencoder(max_epochs=1, warm_start=True, random_state=0).fit(X[:256])
    pairs = np.array([[timed(vae.fit, X)[1], timed(loop.epoch)[1]] for _ in range(n_pairs)])
    return share * np.median(pairs[:, 1]), np.median(pairs[:, 0] / pairs[:, 1])


def judge_autoencoder(X, X_test, epochs, time_them):
    vae, lapse = timed(VariationalAutoencoder(max_epochs=epochs, random_state=0).fit, X)
    elbo = np.mean(vae.elbo(X_test), dtype=np.float64)
    bound, scoring = timed(lambda: vae.score_samples(X_test, n_draws=N_DRAWS).mean())
    print(f"autoencoder, {epochs} epochs: {lapse:.0f} s; test images: loss {-elbo:.2f} nats")
    print(f"importance-weighted bound, {N_DRAWS} draws: {bound:.2f} nats ({scoring:.0f} s)")
    if time_them:
        loop, ratio = time_epochs(X)
        print(f"an epoch: {ratio:.2f} times that of a plain loop, {loop:.1f} s", flush=True)
    return vae, lapse, bound


# The adversaries.


def judge_adversaries(X, epochs, seeds, classifier):
    """Print a line per seed; return the network whose rarest digit is the median, and its time."""
    found = []
    for seed in range(seeds):
        gan = GenerativeAdversarialNetwork(
            feature_range=(0, 1), max_epochs=epochs, random_state=seed
        )
        _, lapse = timed(gan.fit, X)
        shares = class_coverage(gan.sample(N_SAMPLES, random_state=0), classifier)
        losses = gan.generator_loss_curve_[-1], gan.discriminator_loss_curve_[-1]
        print(
            f"adversaries, seed {seed}: {lapse:.0f} s, {lapse / epochs:.1f} s an epoch; losses "
            f"{losses[0]:.3f} and {losses[1]:.3f}; sure of {shares.sum():.1%}, rarest digit "
            f"{shares.argmin()} with {shares.min():.2%}; all: {np.round(shares, 3).tolist()}",
            flush=True,
        )
        found.append((shares.min(), seed, gan, lapse))
    found.sort(key=lambda entry: entry[:2])
    print(f"median of the rarest digit over seeds: {found[len(found) // 2][0]:.2%}", flush=True)
    return found[len(found) // 2][2:]


# Mixtures behind PCA.


class MixtureOfImages:
    """A Gaussian mixture of principal components, of pixels again when it draws."""

    def __init__(self, n_features, n_components):
        self.pca = PCA(n_features, svd_solver="covariance_eigh")
        self.mixture = GaussianMixture(
            n_components, shrinkage=30.0, reg_covar=1e-3, max_iter=50, random_state=0
        )
        self.model = make_pipeline(self.pca, self.mixture)

    def fit(self, X):
        self.model.fit(X)
        return self

    def sample(self, n_samples):
        return self.pca.inverse_transform(self.mixture.sample(n_samples)[0])

    def impute(self, X):
        """Fill missing pixels by the mixture in the space of all pixels, plus what PCA drops."""
        left = self.pca.noise_variance_
        components = self.pca.components_
        full = GaussianMixture.from_parameters(
            self.mixture.weights_,
            self.mixture.means_ @ components + self.pca.mean_,
            components.T @ self.mixture.covariances_ @ components
            + left * (np.eye(components.shape[1]) - components.T @ components)
            + 1e-6 * np.eye(components.shape[1]),
        )
        return full.impute(X)


# One scale for all.


def restored_error(impute, X_test):
    """Root mean squared error of the missing pixels."""
    truth = X_test[:N_RESTORED].astype(np.float64)
    missing = np.random.default_rng(0).random(truth.shape) < MISSING
    filled = np.clip(impute(np.where(missing, np.nan, truth)), 0.0, 1.0)
    return float(np.sqrt(np.mean((filled - truth)[missing] ** 2)))


class Scale:
    """Bins of training images, and the classifier that counts digits."""

    def __init__(self, X, classifier):
        self.X, self.classifier = X[:N_BINNED], classifier
        self.bins = KMeans(100, n_init=1, random_state=0).fit(self.X)

    def row(self, name, samples, *others):
        samples = np.clip(samples, 0.0, 1.0).astype(self.X.dtype)
        _, z = ndb(self.X, samples, bins=self.bins, return_z=True)
        different = " | ".join(str(np.sum(np.abs(z) > limit)) for limit in LIMITS)
        shares = class_coverage(samples, self.classifier)
        above = {f"above {limit}": np.sum(np.abs(z) > limit) for limit in LIMITS}
        row = {"samples": name, **above, "rarest": shares.min(), "sure": shares.sum()}
        record("scale", **row, nats=others[0], seconds=others[1], error=others[2])
        cells = " | ".join(others)
        print(
            f"| {name} | {different} | {100 * shares.min():.1f} % | {100 * shares.sum():.0f} % | "
            f"{cells} |",
            flush=True,
        )


def print_table(X, y, X_test, classifier, vae, gan, mixtures):
    """`vae` and `gan` are (estimator, seconds, ...), mixtures {name: unfitted}."""
    scale = Scale(X, classifier)
    header = (
        "| | \\|z\\| > 3 | > 4 | rarest digit | sure | nats per image | training (s) | error |"
    )
    print(f"{header}\n|---|---|---|---|---|---|---|---|")
    none = ("", "", "")
    if len(X) >= N_BINNED + N_SAMPLES:
        scale.row("held-out training images", X[-N_SAMPLES:], *none)
    scale.row("test images", X_test, *none)
    scale.row("training images without nines", X[: len(X)][y != 9][-N_SAMPLES:], *none)
    error = restored_error(vae[0].impute, X_test)
    samples = vae[0].sample(N_SAMPLES, random_state=0)
    scale.row("VariationalAutoencoder", samples, f"{vae[2]:.1f}", f"{vae[1]:.0f}", f"{error:.3f}")
    samples = gan[0].sample(N_SAMPLES, random_state=0)
    scale.row("GenerativeAdversarialNetwork", samples, "none", f"{gan[1]:.0f}", "none")
    for name, mixture in mixtures.items():
        _, lapse = timed(mixture.fit, X.astype(np.float64))
        error = restored_error(mixture.impute, X_test)
        likelihood = "of other values"
        scale.row(name, mixture.sample(N_SAMPLES), likelihood, f"{lapse:.0f}", f"{error:.3f}")


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train", type=int, default=None, help="training images, all by default")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--no-times", action="store_true", help="no comparison to a plain loop")
    args = parse(parser)
    warnings.simplefilter("ignore")  # components that collapse, few iterations
    images, y, X_test, _ = load_images(args.data / "mnist")
    X = images[: args.train].astype(np.float32)
    y, X_test = y[: args.train], X_test.astype(np.float32)
    with threadpool_limits(args.threads):
        started = time.perf_counter()
        classifier = train_classifier(X.astype(np.float64), y)
        print(f"{len(X)} images; classifier: {time.perf_counter() - started:.0f} s", flush=True)
        vae = judge_autoencoder(X, X_test, args.epochs, not args.no_times)
        gan = judge_adversaries(X, args.epochs, args.seeds, classifier)
        mixtures = {
            "mixture of 50 Gaussians, PCA 50": MixtureOfImages(50, 50),
            "mixture of 200 Gaussians, PCA 100": MixtureOfImages(100, 200),
        }
        print_table(X, y, X_test, classifier, vae, gan, mixtures)


if __name__ == "__main__":
    main()
