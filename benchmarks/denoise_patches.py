"""Patches of photographs, denoised by priors of growing freedom, and their likelihoods.

    python benchmarks/denoise_patches.py --data DIR   # or the environment variable SKMIX_DATA
    python benchmarks/denoise_patches.py --speed      # a scale mixture of a million patches

DIR holds the folder `bsds500-train` with the 200 training images of BSDS500. 20 000 patches of
8 x 8 gray levels in [0, 1], less their mean, are drawn from the first 150 images to learn from,
and as many from the other 50 to be denoised. K is 5: scales of the scale mixtures, components of
the Gaussian mixture. Printed are the likelihood of the clean held-out patches in nats, the mean
squared error over all pixels after noise of each size was added and removed again, in units of
1e-4, and seconds. The figure `denoise_patches.png` shows errors in units of those of the MVN.

Patches less their mean have no spread in one direction: priors see the other 63, in orthonormal
coordinates, in which white noise stays white. The mean counts as restored without error.
"""

from __future__ import annotations

import warnings

import numpy as np
from datasets import argument_parser, load_gray, parse, timed
from results import record
from scipy.linalg import helmert
from sklearn.exceptions import ConvergenceWarning

from skmix import GMMDenoiser, GSMDenoiser, ICADenoiser, MVNDenoiser
from skmix.image import fit_patch_prior

SIZE = 8
N_PATCHES = 20_000
LEVELS = (0.01, 0.05, 0.1, 0.2)
MODELS = {
    "MVN": MVNDenoiser(),
    "GSM": GSMDenoiser(5, assume_centered=True),
    "ICA": ICADenoiser(5, assume_centered=True),
    "ICA, FastICA": ICADenoiser(5, rotation="ica", assume_centered=True, random_state=0),
    "GMM": GMMDenoiser(5, random_state=0),
}


class Collect:
    """Stands in for a prior: keeps the patches that `fit_patch_prior` draws."""

    def get_params(self, deep=True):
        return {}

    def fit(self, X):
        self.patches = X
        return self


def patches_of(images, seed, n_patches=N_PATCHES):
    """Patches less their mean, in coordinates without the constant direction."""
    drawn = fit_patch_prior(images, Collect(), size=SIZE, n_patches=n_patches, random_state=seed)
    return drawn.patches @ helmert(SIZE**2).T


def compare(train, held_out):
    print("| prior | nats per patch | " + " | ".join(map(str, LEVELS)) + " | fit (s) |")
    print("|---|---|" + "---|" * len(LEVELS) + "---|")
    rng = np.random.default_rng(0)
    noises = [level * rng.normal(size=held_out.shape) for level in LEVELS]
    table = {}
    for name, model in MODELS.items():
        _, seconds = timed(model.fit, train)
        errors = []
        for level, noise in zip(LEVELS, noises, strict=True):
            restored = model.transform(held_out + noise, row_noise_std=level)
            errors.append(np.sum((restored - held_out) ** 2) / (len(held_out) * SIZE**2))
        cells = " | ".join(f"{1e4 * error:.3f}" for error in errors)
        of_levels = {str(level): 1e4 * e for level, e in zip(LEVELS, errors, strict=True)}
        nats = model.score(held_out)
        record("patches", prior=name, nats=nats, **of_levels, seconds=seconds)
        print(f"| {name} | {nats:.2f} | {cells} | {seconds:.2f} |", flush=True)
        table[name] = np.array(errors)
    cells = " | ".join(f"{1e4 * level**2 * 63 / 64:.3f}" for level in LEVELS)
    noisy = {str(level): 1e4 * level**2 * 63 / 64 for level in LEVELS}
    record("patches", prior="noisy", nats=None, **noisy, seconds=None)
    print(f"| none | | {cells} | |")
    return table


def draw(table):
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    figure, axes = plt.subplots(figsize=(7.5, 4), layout="constrained")
    for name, errors in table.items():
        axes.plot(LEVELS, errors / table["MVN"], "o-", label=name)
    axes.set(
        xscale="log",
        xticks=LEVELS,
        xticklabels=LEVELS,
        xlabel="standard deviation of the noise (gray levels from 0 to 1)",
        ylabel="mean squared error / that of the MVN",
        title=f"Denoised held-out patches of {SIZE} x {SIZE} pixels, K = 5",
    )
    axes.minorticks_off()
    figure.legend(loc="outside right upper")
    figure.savefig("denoise_patches.png", dpi=120)
    print("wrote denoise_patches.png")


def speed(images):
    """A scale mixture of a million patches."""
    X = patches_of(images, 0, 1_000_000)
    model = GSMDenoiser(5, assume_centered=True)
    _, seconds = timed(model.fit, X)
    print(f"{len(X)} x {X.shape[1]}: {seconds:.2f} s, {model.n_iter_} iterations")


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--speed", action="store_true")
    args = parse(parser)
    warnings.simplefilter("ignore", ConvergenceWarning)
    images = load_gray(args.data / "bsds500-train")
    if args.speed:
        speed(images)
        return
    table = compare(patches_of(images[:150], 0), patches_of(images[150:], 1))
    draw(table)


if __name__ == "__main__":
    main()
