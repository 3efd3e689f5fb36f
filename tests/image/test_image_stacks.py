"""Stacks of images, whose slices share what is learned of their patches."""

import numpy as np
import pytest
from test_image_denoising import mse, waves

from skmix import GMMDenoiser
from skmix.image import denoise, fit_patch_prior, inpaint
from skmix.image._arrays import Axes


@pytest.fixture(scope="module")
def prior():
    images = [waves(seed=seed) for seed in range(1, 5)]
    estimator = GMMDenoiser(4, random_state=0, reg_covar=1e-5, tol=1e-2)
    return fit_patch_prior(images, estimator, size=6, n_patches=4000, random_state=0)


def stack(n_slices=3):
    return np.stack([waves((40, 46), seed=seed) for seed in range(n_slices)])


def noisy_stack(noise_std=0.2):
    return stack() + noise_std * np.random.default_rng(0).normal(size=stack().shape)


@pytest.mark.parametrize(
    ("shape", "stack_axis", "channel_axis"),
    [
        ((4, 5), None, None),
        ((4, 5, 3), None, -1),
        ((3, 4, 5), None, 0),
        ((2, 4, 5), 0, None),
        ((4, 5, 2), -1, None),
        ((2, 4, 5, 3), 0, -1),
        ((3, 4, 2, 5), 2, 0),
        ((4, 3, 2, 5), -2, 1),
    ],
)
def test_axes_split_and_join(shape, stack_axis, channel_axis):
    image = np.random.default_rng(0).normal(size=shape)
    axes = Axes(stack_axis, channel_axis).check(image)
    slices = axes.split(image)
    n_slices = 1 if stack_axis is None else 2
    n_channels = 1 if channel_axis is None else 3
    assert slices.shape == (n_slices, 4, 5, n_channels)
    np.testing.assert_array_equal(axes.join(slices), image)
    if stack_axis is not None:
        one = np.take(image, 1, axis=stack_axis)
        if channel_axis is not None:
            one = np.moveaxis(one, channel_axis % 4 - (axes.channel > axes.stack), -1)
        np.testing.assert_array_equal(slices[1].squeeze(), one)


@pytest.mark.parametrize("method", ["epll", "mmse"])
def test_fixed_priors_restore_each_slice_for_itself(prior, method):
    restored = denoise(noisy_stack(), prior, 0.2, stack_axis=0, method=method)
    for slice_, alone in zip(restored, noisy_stack(), strict=True):
        np.testing.assert_array_equal(slice_, denoise(alone, prior, 0.2, method=method))


@pytest.mark.parametrize("method", ["auto", "similar"])
def test_slices_share_the_adapted_prior(prior, method):
    """Little changes, as the prior counts too, but every slice changes all others."""
    restored = denoise(noisy_stack(), prior, 0.2, stack_axis=0, method=method)
    alone = np.stack([denoise(one, prior, 0.2, method=method) for one in noisy_stack()])
    assert mse(restored, stack()) < 1.05 * mse(alone, stack())
    assert np.all(np.abs(restored - alone).max(axis=(1, 2)) > 1e-3)
    single = denoise(noisy_stack()[:1], prior, 0.2, stack_axis=0, method=method)
    np.testing.assert_array_equal(single[0], alone[0])
    moved = denoise(np.moveaxis(noisy_stack(), 0, 2), prior, 0.2, stack_axis=-1, method=method)
    np.testing.assert_array_equal(np.moveaxis(moved, 2, 0), restored)


def test_options_compose(prior):
    noisy, holes = noisy_stack(), np.random.default_rng(1).random(stack().shape) < 0.2
    restored, std = denoise(noisy, prior, stack_axis=0, return_std=True)
    assert restored.shape == std.shape == noisy.shape
    assert mse(restored, stack()) < 0.15 * mse(noisy, stack())
    filled = inpaint(noisy, holes, prior, noise_std=0.2, stack_axis=0)
    assert mse(filled, stack()) < 2 * mse(restored, stack())
    one_mask = inpaint(noisy, holes[0], prior, stack_axis=0)
    np.testing.assert_array_equal(one_mask[:, ~holes[0]], noisy[:, ~holes[0]])
    assert np.all(one_mask[:, holes[0]] != noisy[:, holes[0]])
    colours = np.stack([noisy, 0.8 * noisy, 0.5 * noisy], axis=1)
    in_colour = denoise(colours, prior, 0.2, stack_axis=0, channel_axis=1)
    assert mse(in_colour[:, 0], stack()) < 0.3 * mse(noisy, stack())
    counts = np.random.default_rng(0).poisson(20 * (stack() + 0.8))
    assert mse(denoise(counts, prior, noise="poisson", stack_axis=0), 20 * (stack() + 0.8)) < 8
    learned = denoise(noisy, None, 0.2, stack_axis=0)
    assert mse(learned, stack()) < 0.4 * mse(noisy, stack())


def test_noise_of_slices(prior):
    """A map for the whole stack, and one for every slice."""
    levels = np.array([0.05, 0.2, 0.4])[:, None, None]
    noisy = noisy_stack(levels)
    as_map = denoise(noisy, prior, np.broadcast_to(levels, noisy.shape), stack_axis=0)
    for level, slice_, alone, clean in zip(levels.ravel(), as_map, noisy, stack(), strict=True):
        assert mse(slice_, clean) < 1.3 * mse(denoise(alone, prior, level), clean)
    of_slice = np.full(noisy.shape[1:], 0.2)
    of_slice[:10] = 0.1
    np.testing.assert_array_equal(
        denoise(noisy, prior, of_slice, stack_axis=0),
        denoise(noisy, prior, np.broadcast_to(of_slice, noisy.shape), stack_axis=0),
    )


@pytest.mark.parametrize(
    ("image", "axes"),
    [
        (np.ones((9, 9)), {"stack_axis": 0}),
        (np.ones((2, 9, 9)), {"stack_axis": 3}),
        (np.ones((2, 9, 9, 3)), {"stack_axis": 0}),
        (np.ones((2, 9, 9)), {"stack_axis": -4}),
        (np.ones((2, 9, 9, 3)), {"stack_axis": 0, "channel_axis": -4}),
    ],
)
def test_axes_that_do_not_fit(prior, image, axes):
    with pytest.raises(ValueError, match=r"stack_axis=.* need an image with \d axes"):
        denoise(image, prior, 0.1, **axes)
