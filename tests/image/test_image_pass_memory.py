"""Passes that visit the components around a patch, against passes that visit all."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from skmix.image import _patches, _restoration, denoise
from skmix.image._pass_memory import PassMemory
from skmix.image._patch_mixture import N_CANDIDATES, Gates
from skmix.image._prior_files import mixture_of, named_prior


def scene(shape=(56, 64)):
    """Edges, a curve, a texture and calm parts, in [0, 1]."""
    rows, columns = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    image = 0.3 + 0.4 * (columns > 30 + 6 * np.sin(rows / 9)) + 0.002 * rows
    texture = 0.08 * np.sin(rows * 1.1 + columns * 0.7) * (rows > 36)
    return np.clip(image + texture, 0.0, 1.0)


def noisy_version(image, noise_std):
    return image + np.random.default_rng(0).normal(scale=noise_std, size=image.shape)


def psnr(restored, clean):
    return -10 * np.log10(np.mean((restored - clean) ** 2))


@pytest.mark.parametrize("noise_std", [0.02, 0.2])
def test_few_components_restore_as_all_do(noise_std, monkeypatch):
    clean = scene()
    noisy = noisy_version(clean, noise_std)
    fast = denoise(noisy, "photo", noise_std, method="epll")
    monkeypatch.setattr(_restoration, "MIN_COMPONENTS", np.inf)
    dense = denoise(noisy, "photo", noise_std, method="epll")
    assert psnr(fast, clean) == pytest.approx(psnr(dense, clean), abs=0.05)
    assert np.sqrt(np.mean((fast - dense) ** 2)) < 0.05 * noise_std
    assert fast.dtype == np.float64


def test_passes_after_the_first_visit_fewer_components(monkeypatch):
    n_visited = {"directions": [], "full": []}
    candidates = Gates.candidates

    def counted(self, rows, around=None):
        found = candidates(self, rows, around)
        n_components = len(self.means)
        met = n_components if around is None else len(np.unique(around.components))
        n_visited["directions"].append(met)
        n_visited["full"].append(np.mean(np.sum(found < n_components, axis=1)))
        return found

    monkeypatch.setattr(Gates, "candidates", counted)
    denoise(noisy_version(scene(), 0.1), "photo", 0.1, method="epll")
    assert len(n_visited["full"]) == 5
    assert n_visited["directions"][0] == 200 and max(n_visited["directions"][1:]) < 100
    assert n_visited["full"][0] == N_CANDIDATES and max(n_visited["full"][1:]) < N_CANDIDATES


@pytest.mark.parametrize("varying", [False, True])
def test_threads_and_strips_do_not_change_what_is_restored(varying, monkeypatch):
    noise_std = np.repeat([[0.08, 0.1]], 32, axis=1) * np.ones((56, 1)) if varying else 0.1
    noisy = noisy_version(scene(), 0.1)
    with threadpool_limits(1):
        one = denoise(noisy, "photo", noise_std)
    with threadpool_limits(3):
        np.testing.assert_array_equal(denoise(noisy, "photo", noise_std), one)
    monkeypatch.setattr(_patches, "STRIP_VALUES", 10 * 64 * 29)  # ten rows of patches
    in_strips = denoise(noisy, "photo", noise_std)
    # A strip is a part of the image.
    assert np.sqrt(np.mean((in_strips - one) ** 2)) < 0.005


def test_little_noise_meets_all_components():
    mixture = mixture_of(named_prior("photo"))
    clean = 1e5 + scene()
    noise_std = 1e-3 * mixture.typical_std
    noisy = noisy_version(clean, noise_std)
    restored = denoise(noisy, "photo", noise_std, method="epll", data_range=1.0)
    # Single precision would round to 0.008.
    assert np.abs(restored - noisy).max() < 6 * noise_std


def test_the_four_nearest_patches_of_the_pass_before_are_remembered():
    memory = PassMemory()
    before = np.ix_([0, 3, 6], [0, 4])
    memory.begin_pass()
    assert memory.around(before) is None
    components = np.arange(12).reshape(6, 2)
    memory.keep(np.ix_([0], [0, 4]), components[:2])
    memory.keep(np.ix_([3, 6], [0, 4]), components[2:])
    memory.begin_pass()
    around = memory.around(np.ix_([1, 6], [4]))
    expected = [[2, 3, 2, 3, 6, 7, 6, 7], [10, 11, 10, 11, 10, 11, 10, 11]]
    np.testing.assert_array_equal(around.components, expected)
    np.testing.assert_array_equal(around.parts, [0, 0])
