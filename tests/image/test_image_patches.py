"""Patches of images, and passes over them, against loops."""

import numpy as np
import pytest
from sklearn.feature_extraction.image import extract_patches_2d

from skmix.image import _patches, extract_patches, reconstruct
from skmix.image._progress import Progress
from skmix.image._visitor import PatchVisitor


@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 3), (4, 4)])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_patches_are_cut_row_by_row(shape, stride):
    image = np.arange(np.prod(shape)).reshape(shape)
    patches = extract_patches(image, 4, stride)
    rows, columns = (sorted({*range(0, n - 3, stride), n - 4}) for n in shape[:2])
    expected = [image[i : i + 4, j : j + 4] for i in rows for j in columns]
    np.testing.assert_array_equal(patches, expected)
    np.testing.assert_allclose(reconstruct(patches, shape, stride), image, rtol=1e-12)
    if stride == 1:
        np.testing.assert_array_equal(patches, extract_patches_2d(image, (4, 4)))


def test_overlaps_are_averaged():
    patches = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 4.0)])
    np.testing.assert_array_equal(reconstruct(patches, (2, 3)), [[1.0, 2.5, 4.0], [1.0, 2.5, 4.0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: extract_patches(np.ones((3, 9)), 4), "3 x 9 pixels has no patch of 4 x 4"),
        (lambda: extract_patches(np.ones(9), 4), r"must have shape \(n_rows, n_columns\)"),
        (lambda: extract_patches(np.ones((9, 9)), 0), "at least 1"),
        (lambda: extract_patches(np.ones((9, 9)), 3, stride=0), "at least 1"),
        (lambda: extract_patches(np.ones((9, 9)), 3, stride=4), "stride=4 leaves out pixels"),
        (lambda: reconstruct(np.ones((5, 3, 3)), (9, 9)), r"\(49, 3, 3\).*\(5, 3, 3\)"),
    ],
)
def test_bad_patches(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Corners of any kind


@pytest.mark.parametrize("shape", [(9, 11), (9, 11, 2)])
def test_patches_at_any_corners_add_up(shape):
    rng = np.random.default_rng(0)
    image = rng.normal(size=shape)
    i, j = np.nonzero(rng.random((7, 9)) < 0.3)
    patches = _patches.cut_patches(image, 3, i, j)
    np.testing.assert_array_equal(
        patches, [image[k : k + 3, n : n + 3] for k, n in zip(i, j, strict=True)]
    )
    total, expected, counts = np.zeros(shape), np.zeros(shape), np.zeros(shape[:2])
    _patches.add_patches(total, patches, i, j)
    begins = np.zeros((7, 9), dtype=bool)
    begins[i, j] = True
    for k, n, patch in zip(i, j, patches, strict=True):
        expected[k : k + 3, n : n + 3] += patch
        counts[k : k + 3, n : n + 3] += 1
    np.testing.assert_allclose(total, expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(_patches.count_patches(begins, 3), counts)


def test_window_sums():
    known = np.random.default_rng(0).random((8, 9, 2)) < 0.5
    expected = [[known[i : i + 3, j : j + 3].sum((0, 1)) for j in range(7)] for i in range(6)]
    np.testing.assert_array_equal(_patches.window_sums(known, 3), expected)
    np.testing.assert_array_equal(_patches.window_sums(known, 1), known)


def test_means_of_known_pixels():
    patches = np.random.default_rng(0).normal(size=(40, 9, 2))
    np.testing.assert_allclose(
        _patches.known_means(patches), patches.mean(axis=1, keepdims=True), rtol=1e-13
    )
    patches[np.random.default_rng(1).random(patches.shape) < 0.3] = np.nan
    patches[0, :, 0] = np.nan
    expected = [
        [np.nanmean(c) if np.isfinite(c).any() else np.nanmean(p) for c in p.T] for p in patches
    ]
    means = _patches.known_means(patches)
    np.testing.assert_allclose(means[:, 0], expected, rtol=1e-12)
    assert means[0, 0, 0] == means[0, 0, 1]
    single = _patches.known_means(patches.astype(np.float32))
    assert single.dtype == np.float32


# Passes


class Steps(Progress):
    """Counts the steps instead of showing them."""

    def __init__(self):
        super().__init__("", verbose=False)
        self.n_done = 0

    def advance(self, n_steps):
        self.n_done += n_steps


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("remove_mean", [True, False])
@pytest.mark.parametrize(("stride", "offset"), [(1, (0, 0)), (2, (1, 1)), (4, (0, 2))])
@pytest.mark.parametrize("strip_values", [1, 300, 2**23])
def test_a_pass_averages_what_patches_become(
    n_channels, remove_mean, stride, offset, strip_values, monkeypatch
):
    """Any map of patches that knows where they are, of all patches or of some."""
    monkeypatch.setattr(_patches, "STRIP_VALUES", strip_values)
    rng = np.random.default_rng(0)
    image = rng.normal(size=(13, 17, n_channels))
    gain = rng.normal(size=(16 * n_channels, 16 * n_channels))
    levels = rng.normal(size=image.shape[:2])
    some = rng.random(image.shape[:2]) < 0.2

    def restore(rows, at):
        return rows @ gain + levels[at].reshape(-1, 1), rows**2

    def choose(rows, columns):
        i, j = np.nonzero(some[np.ix_(rows, columns)])
        yield rows[i], columns[j]
        i, j = np.nonzero(~some[np.ix_(rows, columns)] & (columns % 3 == 0))
        yield rows[i], columns[j]

    rows, columns = (
        sorted({0, *range(first, n - 4, stride), n - 4})
        for n, first in zip(image.shape[:2], offset, strict=True)
    )
    for options in ({}, {"choose": choose}):
        total, squares = np.zeros((2, *image.shape))
        counts = np.zeros(image.shape)
        for i in rows:
            for j in columns:
                if options and not (some[i, j] or j % 3 == 0):
                    continue
                window = np.s_[i : i + 4, j : j + 4]
                patch = image[window]
                mean = patch.mean(axis=(0, 1)) if remove_mean else 0.0
                centred = (patch - mean).ravel()
                total[window] += (centred @ gain + levels[i, j]).reshape(4, 4, -1) + mean
                squares[window] += (centred**2).reshape(4, 4, -1)
                counts[window] += 1
        steps = Steps()
        visitor = PatchVisitor(4, stride, remove_mean, steps)
        average = visitor.average(image, restore, offset=offset, **options)
        divisor = np.maximum(counts, 1)
        np.testing.assert_allclose(average.mean, total / divisor, atol=1e-12)
        np.testing.assert_allclose(average.variance, squares / divisor, atol=1e-12)
        np.testing.assert_array_equal(average.reached, counts[..., 0] > 0)
        assert steps.n_done == visitor.n_steps(image.shape, offset) == len(rows)


def test_a_pass_without_variances_or_patches():
    visitor = PatchVisitor(3, 1, True, Steps())
    image = np.arange(30, dtype=np.float32).reshape(5, 6, 1)
    average = visitor.average(image, lambda rows, at: (rows, None))
    assert average.variance is None and average.mean.dtype == np.float32
    np.testing.assert_allclose(average.mean, image, rtol=1e-6)
    nothing = visitor.average(image, lambda rows, at: (rows, rows), choose=lambda *_: [])
    assert nothing.variance is None and not nothing.reached.any()
    np.testing.assert_array_equal(nothing.mean, 0.0)
