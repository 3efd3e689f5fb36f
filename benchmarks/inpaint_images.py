"""Images of which 90 % of the pixels are gone, restored from what is left.

    python benchmarks/inpaint_images.py --data DIR        # or the environment variable SKMIX_DATA
    python benchmarks/inpaint_images.py --all             # also trained on all 60 000 images
    python benchmarks/inpaint_images.py --search          # how the parameters were chosen

DIR holds the folder `fashion-mnist` with its four original gzipped IDX files. Training images are
the first 2000 of the labels 0, 1 and 8 (T-shirt, trouser, bag), complete; test images are the
first 10 and the first 1000 of these labels, with 90 % of the pixels removed at random. For every
method this prints the mean over images of the peak signal-to-noise ratio, 10 log10(1 / mean
squared error over all 784 pixels) for gray levels in [0, 1] clipped to that range, and the seconds
for learning and for restoring 1000 images. scikit-image is needed for inpaint_biharmonic only.
"""

from __future__ import annotations

import itertools
import warnings

import numpy as np
from datasets import argument_parser, load_images, parse, timed
from results import record
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

from skmix import ConditionalGMMInpainter

SHARE = 0.9
LABELS = (0, 1, 8)
N_TRAIN = 2000
CHOSEN = dict(n_components=10, shrinkage=100.0, reg_covar=3e-3, max_iter=30, random_state=0)
# Ten labels instead of three, thirty times as many images.
CHOSEN_FOR_ALL = {**CHOSEN, "n_components": 30, "max_iter": 12}
GRID = {"n_components": [1, 3, 10, 20], "shrinkage": [30.0, 100.0, 300.0]}


class Biharmonic:
    """scikit-image's inpaint_biharmonic, which learns nothing."""

    def fit(self, X):
        return self

    def transform(self, X):
        from skimage.restoration import inpaint_biharmonic

        images = X.reshape(-1, 28, 28)
        restored = [inpaint_biharmonic(np.nan_to_num(image), np.isnan(image)) for image in images]
        return np.reshape(restored, X.shape)


def psnr(restored, truth):
    """Mean over images of the peak signal-to-noise ratio in dB."""
    error = np.mean((np.clip(restored, 0.0, 1.0) - truth) ** 2, axis=1)
    return float(np.mean(-10.0 * np.log10(error)))


def remove(images, share, seed=0):
    return np.where(np.random.default_rng(seed).random(images.shape) < share, np.nan, images)


def compare(table, methods, X, images):
    print("| method | dB, 10 images | dB, 1000 images | learn (s) | restore 1000 (s) |")
    print("|---|---|---|---|---|")
    corrupted = remove(images, SHARE)
    for name, method in methods.items():
        model, learn = timed(method.fit, X)
        restored, lapse = timed(model.transform, corrupted)
        few, quality = psnr(restored[:10], images[:10]), psnr(restored, images)
        record(table, method=name, db=quality, learn_seconds=learn, restore_seconds=lapse)
        print(
            f"| {name} | {few:.2f} | {quality:.2f} | {learn:.1f} | {lapse:.1f} |",
            flush=True,
        )


def search(X):
    """Restore the last fifth of the training images by what the others teach."""
    train, held_out = X[: -len(X) // 5], X[-len(X) // 5 :]
    corrupted = remove(held_out, SHARE, seed=1)
    for values in itertools.product(*GRID.values()):
        model = ConditionalGMMInpainter(**{**CHOSEN, **dict(zip(GRID, values, strict=True))})
        model.fit(train)
        line = ", ".join(f"{name}={value}" for name, value in zip(GRID, values, strict=True))
        restored = psnr(model.transform(corrupted), held_out)
        print(f"{line}: {restored:.2f} dB, {model.score(held_out):.1f} nats per image", flush=True)


def peers(n_train):
    # Learned from complete rows it would stop after one round: nothing changes but for tol=0.
    iterative = IterativeImputer(n_nearest_features=20, tol=0.0, max_iter=10, random_state=0)
    methods = {
        "column means": SimpleImputer(keep_empty_features=True),
        "KNNImputer": KNNImputer(keep_empty_features=True),
    }
    if n_train <= N_TRAIN:
        methods["IterativeImputer, 20 nearest features"] = iterative
    return methods


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--search", action="store_true")
    args = parse(parser)
    warnings.simplefilter("ignore")  # pixels that are constant, few iterations
    X, y, X_test, y_test = load_images(args.data / "fashion-mnist")
    train = X[np.isin(y, LABELS)][:N_TRAIN]
    images = X_test[np.isin(y_test, LABELS)][:1000]
    if args.search:
        search(train)
        return
    mixture = {f"mixture, K={CHOSEN['n_components']}": ConditionalGMMInpainter(**CHOSEN)}
    print(f"trained on {len(train)} images of the labels {LABELS}")
    compare(
        "complete", {**mixture, **peers(len(train)), "biharmonic": Biharmonic()}, train, images
    )
    print(f"\nthe same, learned from images of which {SHARE:.0%} of the pixels are missing too")
    few = ConditionalGMMInpainter(**{**CHOSEN, "n_components": 3})
    compare("incomplete", {"mixture, K=3": few, **peers(0)}, remove(train, SHARE, seed=2), images)
    if args.all:
        print(f"\ntrained on all {len(X)} images")
        mixture = {"mixture, K=30": ConditionalGMMInpainter(**CHOSEN_FOR_ALL)}
        compare("all", {**mixture, **peers(len(X))}, X, images)


if __name__ == "__main__":
    main()
