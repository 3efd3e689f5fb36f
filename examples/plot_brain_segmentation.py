"""
=======================================
Find a tumour in a brain scan with gaps
=======================================

How much of a tumour can be seen without anybody having drawn one before? In magnetic resonance
images after a contrast agent many tumours are brighter than the brain around them, but so are the
scalp, fat and vessels. This example removes a fifth of the pixels and some rows of two real
volumes, fills them in, describes the brain by a mixture with a component for the tumour, and
compares the place and the volume that it finds with a tumour mask drawn by hand. The mask is used
for the comparison only.

Run it with ``python examples/plot_brain_segmentation.py FOLDER``, where FOLDER holds volumes as
npz files with the arrays ``image`` and ``tumour`` (slices x height x width), such as the test
cases brain1 and brain2 of PyRadiomics. Without FOLDER it looks for ``mri-brain`` in the folder
named by the environment variable ``SKMIX_DATA``, and does nothing if there is none. It writes the
figure ``plot_brain_segmentation.png`` to the current folder.
"""

# %%
# The volumes
# -----------
# A fifth of the pixels are removed at random, and sixteen rows of each slice as a whole.
import os
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from skmix import GaussianMixture

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
if len(sys.argv) > 1:
    folder = Path(sys.argv[1])
else:
    folder = Path(os.environ.get("SKMIX_DATA", ".")) / "mri-brain"
paths = sorted(folder.glob("*.npz"))
if not paths:
    print(f"skipped: no npz files in {folder}; name their folder as argument, or set SKMIX_DATA")
    sys.exit()


def corrupt(volume, seed=0):
    """The volume without a fifth of its pixels and without 16 rows per slice."""
    rng = np.random.default_rng(seed)
    corrupted = np.where(rng.random(volume.shape) < 0.2, np.nan, volume)
    for image in corrupted:
        image[rng.choice(len(image), 16, replace=False)] = np.nan
    return corrupted


# %%
# Filled in
# ---------
# Rows of the first mixture are the 3 x 3 pixels around each pixel, as many of them as there are.
# Air, smooth tissue, edges and texture, and fat differ in how neighbours go together, so that one
# component each predicts a missing pixel from those around it.


def patches(volume):
    """The pixels around each pixel of each slice, the pixel itself in the middle."""
    around = np.pad(volume, ((0, 0), (1, 1), (1, 1)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), axis=(1, 2))
    return windows.reshape(-1, 9)


def fill(corrupted):
    """The volume with missing pixels filled in, and the probability of smooth tissue."""
    rows = patches(corrupted)
    some = np.random.default_rng(0).choice(rows, 20_000, replace=False)
    noise = 1e-4 * np.nanvar(some)
    # Clusters of k-means are levels of gray, which is what tells air from tissue here.
    options = {"init_params": "kmeans", "reg_covar": noise, "tol": 1e-2, "random_state": 0}
    mixture = GaussianMixture(4, **options).fit(some)
    filled = corrupted.ravel().copy()
    missing = np.isnan(filled)
    filled[missing] = mixture.impute(rows[missing])[:, 4]
    tissue = np.argsort(mixture.means_[:, 4])[1]  # the darkest component is the air
    probability = mixture.predict_proba(rows)[:, tissue]
    return filled.reshape(corrupted.shape), probability.reshape(corrupted.shape)


# %%
# The brain
# ---------
# The darkest component is the air, the next one smooth tissue. What is left of the latter after
# eight pixels have been taken off all around, in one piece, is the inside of the brain. Given back
# the eight pixels and three more, and made convex, slice by slice, it includes what lies at the
# brain's border.


def erode(mask, radius):
    return ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] > radius


def dilate(mask, radius):
    return ndimage.distance_transform_edt(~mask) <= radius if mask.any() else mask


def convex(mask):
    """The convex hull of a mask."""
    points = np.argwhere(mask)
    if len(points) < 100:
        return np.zeros_like(mask)
    equations = ConvexHull(points).equations
    inside = np.argwhere(np.ones_like(mask)) @ equations[:, :2].T + equations[:, 2] < 1e-9
    return inside.all(axis=1).reshape(mask.shape)


def brain_of(tissue):
    """The brain, given the probability of smooth tissue."""
    smooth = ndimage.uniform_filter(tissue, (1, 5, 5)) > 0.5
    pieces, _ = ndimage.label([erode(mask, 8) for mask in smooth])
    inside = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    return np.array([convex(dilate(mask, 11)) for mask in inside])


# %%
# Tissue and tumour
# -----------------
# The second mixture describes each pixel of the brain by its intensity, if it has one, and by the
# mean of the observed pixels around it. The tumour is one or two percent of the brain, too little
# for k-means to start a component there, so the start says what is looked for: fluid and air,
# darker and brighter tissue, and what is half as bright again. The fit leaves out the border.
NAMES = ["background and fluid", "darker tissue", "brighter tissue", "tumour or vessel"]
START = np.array([0.3, 0.75, 1.0, 1.5])


def local_mean(volume):
    """Mean of the observed pixels of 3 x 3; NaN where there are none."""
    observed = np.isfinite(volume)
    share = ndimage.uniform_filter(observed.astype(float), (1, 3, 3))
    total = ndimage.uniform_filter(np.where(observed, volume, 0.0), (1, 3, 3))
    some = share > 0.05
    return np.where(some, total / np.where(some, share, 1.0), np.nan)


def segment(corrupted, brain):
    """Responsibilities of the four components in the brain, zero outside."""
    rows = np.stack([corrupted, local_mean(corrupted)], axis=-1)
    inner = rows[np.array([erode(mask, 8) for mask in brain])]
    inner = np.random.default_rng(0).choice(inner, 20_000, replace=False)
    unit = np.nanmedian(inner)
    mixture = GaussianMixture(
        len(START),
        means_init=unit * np.column_stack([START, START]),
        precisions_init=np.tile(np.eye(2) / (0.1 * unit) ** 2, (len(START), 1, 1)),
        weights_init=np.full(len(START), 1 / len(START)),
        reg_covar=1e-4 * unit**2,
    ).fit(inner)
    resp = np.zeros((*brain.shape, len(START)))
    resp[brain] = mixture.predict_proba(rows[brain])
    return resp


# %%
# Which of the bright regions is the tumour?
# ------------------------------------------
# Vessels, the falx and the base of the skull are bright too, but thin, or they have a counterpart
# in the other half of the head. Evidence for a tumour is the probability of being bright less the
# largest one around the mirrored place. Of the pieces that are still there after a pixel has been
# taken off all around, and of which more than half is evidence, the one with the most evidence is
# the tumour, with all others that have at least a tenth as much.


def mirrored(probability, brain):
    """The largest probability around the mirror image of each pixel of a slice."""
    columns = np.flatnonzero(brain.any(axis=0))
    if not len(columns):
        return probability
    mirror = columns[0] + columns[-1] - np.arange(brain.shape[1])
    inside = (mirror >= 0) & (mirror < brain.shape[1])
    around = ndimage.maximum_filter(probability, 9)
    return np.where(inside, around[:, np.where(inside, mirror, 0)], 0.0)


def locate(resp, brain):
    """The tumour by arg max, and its neighbourhood, in which responsibilities are summed."""
    bright = resp[..., -1]
    hard = brain & (resp.argmax(axis=-1) == len(START) - 1)
    other = np.array([mirrored(*pair) for pair in zip(bright, brain, strict=True)])
    pieces, n_pieces = ndimage.label([erode(mask, 1) for mask in hard])
    labels = np.arange(1, n_pieces + 1)
    evidence = ndimage.sum(np.clip(bright - other, 0.0, None), pieces, labels)
    evidence[evidence < 0.5 * ndimage.sum(pieces > 0, pieces, labels)] = 0.0
    chosen = np.isin(pieces, labels[evidence > 0.1 * evidence.max(initial=0.0)])
    found = hard & np.array([dilate(mask, 2) for mask in chosen])
    return found, np.array([dilate(mask, 3) for mask in found])


# %%
# Compared with the mask
# ----------------------
# The hard assignment of the arg max counts each pixel for one component, the soft one of the
# E-step counts it in shares. The Dice coefficient is twice the overlap divided by the sum of both
# volumes.
#
# The tumour of brain1 is found, with three quarters of its volume: parts that the mask includes
# and that took up no contrast agent look like tissue. The lesion of brain2 is missed, and bright
# structures between the two halves of the brain are taken for it: its 453 pixels are less than a
# tenth brighter than the tissue around them. The thresholds above were chosen on these two
# volumes; how well they serve others is not known.


def dice(share, mask):
    return 2 * share[mask].sum() / (share.sum() + mask.sum())


results = {}
for path in paths:
    started = time.perf_counter()
    with np.load(path) as arrays:
        volume, mask = arrays["image"].astype(float), arrays["tumour"] > 0
    corrupted = corrupt(volume)
    filled, tissue = fill(corrupted)
    brain = brain_of(tissue)
    resp = segment(corrupted, brain)
    hard, neighbourhood = locate(resp, brain)
    soft = resp[..., -1] * neighbourhood
    results[path.stem] = volume, mask, corrupted, filled, brain, resp, hard, soft

    missing, around = np.isnan(corrupted), local_mean(corrupted)
    errors = [
        np.sqrt(np.nanmean((guess - volume)[missing] ** 2)) / volume.std()
        for guess in (filled, around)
    ]
    print(f"{path.stem}: {missing.mean():.0%} of the pixels missing, filled in with an error of")
    print("    {:.3f} standard deviations, means of the neighbours {:.3f}".format(*errors))
    for name, share in [("mask", mask), ("hard", hard), ("soft", soft)]:
        if not share.any():
            print(f"    {name}: nothing found")
            continue
        place = np.round(ndimage.center_of_mass(share)).astype(int)
        line = f"    {name}: {share.sum():5.0f} pixels about slice, row, column {place}"
        if name != "mask":
            line += f", volume {share.sum() / mask.sum() - 1:+.0%}, Dice {dice(share, mask):.2f}"
        print(line)
    print(f"    in {time.perf_counter() - started:.1f} s")

# %%
# The slices
# ----------
# Of each volume in which the tumour is found the slice with the largest tumour by the mask. The
# outlines are the mask's. What was missed is said above, and not drawn.
found = {name: result for name, result in results.items() if dice(result[6], result[1]) > 0}
for name in results.keys() - found.keys():
    print(f"{name}: the tumour is missed, the volume is not drawn")
if not found:
    sys.exit()
figure, axes = plt.subplots(
    len(found), 6, figsize=(15, 3.0 * len(found) + 0.8), layout="constrained", squeeze=False
)
gray = plt.get_cmap("gray").with_extremes(bad="tab:blue")
classes = plt.get_cmap("viridis", len(START)).with_extremes(bad="black")
for (name, result), row in zip(found.items(), axes, strict=True):
    volume, mask, corrupted, filled, brain, resp, hard, soft = result
    cut = mask.sum(axis=(1, 2)).argmax()
    limits = dict(cmap=gray, vmin=0, vmax=np.percentile(volume, 99))
    labels = np.where(brain, resp.argmax(axis=-1), np.nan)[cut]
    shown = [
        (f"slice {cut}, mask outlined", volume[cut], limits),
        ("corrupted (blue: missing)", corrupted[cut], limits),
        ("filled in", filled[cut], limits),
        ("components, arg max", labels, dict(cmap=classes, vmin=-0.5, vmax=len(START) - 0.5)),
        (
            f"hard: volume's Dice {dice(hard, mask):.2f}",
            hard[cut],
            dict(cmap="inferno", vmin=0, vmax=1),
        ),
        (
            f"soft: volume's Dice {dice(soft, mask):.2f}",
            soft[cut],
            dict(cmap="inferno", vmin=0, vmax=1),
        ),
    ]
    drawn = []
    for cell, (title, image, how) in zip(row, shown, strict=True):
        drawn.append(cell.imshow(image, interpolation="nearest", **how))
        cell.set_title(title, fontsize=11)
        cell.set(xticks=[], yticks=[])
    for cell in (row[0], row[4], row[5]):
        cell.contour(mask[cut], [0.5], colors="tab:cyan", linewidths=1)
    row[0].set_ylabel(name)
components = figure.colorbar(drawn[3], ax=axes[:, :4], location="bottom", fraction=0.04, aspect=60)
components.set_ticks(range(len(START)), labels=NAMES)
probability = figure.colorbar(drawn[5], ax=axes[:, 4:], location="bottom", fraction=0.04)
probability.set_label("probability of tumour")
figure.savefig("plot_brain_segmentation.png", dpi=120)
print("wrote plot_brain_segmentation.png")

# sphinx_gallery_thumbnail_path = "pictures/plot_brain_segmentation.png"
