"""Opacity, given palettes, dithering and Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

from skmix.image import CompressedImage, compress


def gradient(n_channels=3, shape=(48, 64)):
    y, x = np.mgrid[: shape[0], : shape[1]] / 64
    image = np.stack([255 * x, 255 * y, 120 + 60 * np.sin(9 * x * y), 255 * (x > 0.3)], axis=-1)
    return np.rint(image[..., :n_channels]).astype(np.uint8)


def cut_out():
    """A picture on random colours that nobody sees: those of transparent pixels."""
    image = gradient(4)
    hidden = image[..., 3] == 0
    image[hidden, :3] = np.random.default_rng(0).integers(256, size=(hidden.sum(), 3))
    return image, hidden


# Opacity


def test_transparent_pixels_take_no_colours():
    image, hidden = cut_out()
    alone = compress(image[~hidden][None], 15, alpha=False, random_state=0)
    compressed = compress(image, 16, random_state=0)
    restored = compressed.decompress()
    np.testing.assert_array_equal(restored[hidden], 0)
    errors = [
        np.mean((a.astype(float) - b) ** 2)
        for a, b in ((restored[~hidden], image[~hidden]), (alone.decompress(), image[~hidden]))
    ]
    assert errors[0] < 1.1 * errors[1]
    one_more_colour = compress(image, 16, alpha=False, random_state=0)
    assert one_more_colour.decompress()[hidden].any()
    assert compressed.psnr(image) > one_more_colour.psnr(image) + 5
    # Errors are those of what is seen.
    seen = np.where(hidden[..., None], 0, image)
    expected = 10 * np.log10(255**2 / np.mean((restored.astype(float) - seen) ** 2))
    assert compressed.psnr(image) == pytest.approx(expected)


@pytest.mark.parametrize(("dtype", "unit"), [(np.float32, 255.0), (np.uint16, 1 / 257)])
def test_opacity_of_other_images(dtype, unit, tmp_path):
    image, hidden = cut_out()
    gray = np.moveaxis((image[..., 2:] / unit).astype(dtype), -1, 0)
    compressed = compress(gray, 5, channel_axis=0, random_state=0)
    assert compressed.alpha
    assert not compressed.decompress()[:, hidden].any()
    compressed.save(tmp_path / "image")
    loaded = CompressedImage.load(tmp_path / "image")
    assert loaded.alpha and loaded.psnr(gray) == compressed.psnr(gray)
    blocks = compress(image, 20, block_size=4, random_state=0)
    assert not blocks.decompress()[hidden & (np.arange(64) < 16)].any()


def test_few_colours_stay_as_they_are():
    image = np.array([[[9, 9, 9, 0], [1, 2, 3, 255]]], dtype=np.uint8)
    np.testing.assert_array_equal(compress(image, 2).decompress(), image)


def test_three_channels_have_no_opacity():
    assert not compress(gradient(), 4, random_state=0).alpha
    assert compress(gradient(), 4, alpha=True, random_state=0).alpha


# Palettes


def test_a_given_palette_is_used_as_it_is():
    palette = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 0]])
    compressed = compress(gradient(), palette=palette)
    np.testing.assert_array_equal(compressed.codebook, palette)
    distances = np.sum((gradient()[..., None, :].astype(float) - palette) ** 2, axis=-1)
    chosen = np.take_along_axis(distances, compressed.codes[..., None], axis=-1)[..., 0]
    np.testing.assert_array_equal(chosen, distances.min(axis=-1))
    levels = compress(gradient()[..., 0] / 255, palette=[0.0, 0.5, 1.0])
    np.testing.assert_array_equal(levels.codes, np.rint(2 * (gradient()[..., 0] / 255 - 1e-9)))


# Dithering


def test_dithering_keeps_means():
    """Where a palette of black and white has steps, its means over areas follow the gradient."""
    gray = gradient()[..., 0]
    plain, dithered = (
        compress(gray, palette=[0, 255], dither=dither).decompress().astype(float)
        for dither in (False, True)
    )
    assert set(np.unique(dithered)) == {0.0, 255.0}
    areas = [image.reshape(6, 8, 8, 8).mean(axis=(1, 3)) for image in (gray, plain, dithered)]
    errors = [np.sqrt(np.mean((one - areas[0]) ** 2)) for one in areas[1:]]
    assert errors[1] < 10 < 40 < errors[0]


def test_dithering_is_that_of_pillow():
    """Also where the palette is short, and black is not in it."""
    image = gradient()[:, ::-1]
    compressed = compress(image, 7, dither=True, random_state=0)
    of_palette = Image.new("P", (1, 1))
    of_palette.putpalette(np.resize(compressed.codebook, (256, 3)).tobytes())
    expected = Image.fromarray(np.ascontiguousarray(image)).quantize(palette=of_palette)
    np.testing.assert_array_equal(compressed.decompress(), np.asarray(expected.convert("RGB")))
    np.testing.assert_array_equal(compressed.codebook, compress(image, 7, random_state=0).codebook)
    exact = compress(image[:2, :2], 4, dither=True)
    np.testing.assert_array_equal(exact.decompress(), image[:2, :2])


# Pillow


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
@pytest.mark.parametrize("block_size", [1, 2])
def test_images_of_pillow(n_channels, block_size):
    image = gradient(4)[..., -n_channels:] if n_channels < 3 else gradient(n_channels)
    image = np.moveaxis(image, -1, 0)
    compressed = compress(image, 9, block_size, channel_axis=0, random_state=0)
    made = compressed.to_pil()
    palette = n_channels > 2 and block_size == 1
    assert made.mode == ("P" if palette else ["L", "LA", "RGB", "RGBA"][n_channels - 1])
    mode = ["L", "LA", "RGB", "RGBA"][n_channels - 1]
    expected = np.moveaxis(compressed.decompress(), 0, -1)
    np.testing.assert_array_equal(np.asarray(made.convert(mode)), expected.squeeze())
    file = io.BytesIO()
    made.save(file, "PNG")
    np.testing.assert_array_equal(np.asarray(Image.open(file).convert(mode)), expected.squeeze())


def test_booleans_of_pillow():
    image = gradient()[..., 0] > 99
    np.testing.assert_array_equal(np.asarray(compress(image, 2).to_pil()), image)


def test_without_pillow(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ImportError, match="dither=True needs Pillow"):
        compress(gradient(), 4, dither=True)
    with pytest.raises(ImportError, match="to_pil needs Pillow"):
        compress(gradient(), 4, random_state=0).to_pil()


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Give n_codes, .* or palette: one of the two"),
        ({"n_codes": 2, "palette": [[0, 0, 0]]}, "one of the two"),
        ({"palette": [[0, 0]]}, r"3 channel\(s\), as image has, but has shape \(1, 2\)"),
        ({"palette": [0, 1]}, r"but has shape \(2,\)"),
        ({"palette": [[0, 0, 256]]}, "palette holds 256, which an image of dtype uint8 cannot"),
        ({"palette": [[0, 0, 0.5]]}, "palette holds 0.5"),
        ({"palette": [[0, 0, np.nan]]}, "palette holds NaN"),
        ({"palette": [[0, 0, 0]], "block_size": 2}, "palette is for pixels, but block_size=2"),
        ({"n_codes": 300, "dither": True}, "there are 300 colours"),
        ({"n_codes": 3, "dither": True, "block_size": 2}, "block_size=2"),
        ({"n_codes": 3, "dither": True, "image": gradient(4)}, "n_channels=4"),
        ({"n_codes": 3, "dither": True, "image": gradient() / 255}, "dtype=float64"),
        ({"n_codes": 3, "alpha": True, "image": gradient()[..., 0]}, "alpha=True needs"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        compress(**{"image": gradient(), **options})


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (gradient() / 255, "uint8, or gray booleans, not float64"),
        (gradient() > 9, "not bool"),
        (np.zeros((3, 3, 5), np.uint8), "up to four channels"),
    ],
)
def test_what_pillow_does_not_hold(image, message):
    with pytest.raises(ValueError, match=message):
        compress(image, 3, random_state=0).to_pil()
