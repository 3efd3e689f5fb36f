"""Compression of images: rates, distortion, exactness, files."""

import dataclasses
import io
import itertools
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skmix.image import CompressedImage, _arrays, _bits, compress
from skmix.image._bits import pack, unpack

DTYPES = (np.bool_, np.uint8, np.uint16, np.int16, np.int64, np.float16, np.float32, np.float64)


@pytest.fixture(scope="module")
def picture():
    """Shaded coloured discs with a little noise, 63 x 85 pixels, uint8."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:63, :85]
    image = np.stack([x + y, 2 * y + 30, 150 - x], axis=-1).astype(float)
    for _ in range(12):
        row, column, radius = rng.uniform([0, 0, 5], [63, 85, 20])
        inside = (y - row) ** 2 + (x - column) ** 2 < radius**2
        shade = 1 - 0.02 * np.hypot(y - row, x - column)[..., None]
        image = np.where(inside[..., None], rng.uniform(60, 255, 3) * shade, image)
    return np.clip(np.rint(image + 2 * rng.standard_normal(image.shape)), 0, 255).astype(np.uint8)


def random_image(shape, dtype, n_values=4, seed=0):
    values = np.random.default_rng(seed).permutation(200)[:n_values] / 200
    if np.dtype(dtype).kind != "f":
        values = (
            values * min(np.iinfo(dtype).max, 10**6) if dtype is not np.bool_ else values > 0.5
        )
    return np.random.default_rng(seed + 1).choice(values.astype(dtype), size=shape)


# Exactness -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (6, 4, 3), (3, 5, 4)])
@pytest.mark.parametrize("block_size", [1, 2, 4])
def test_enough_codes_are_exact(dtype, shape, block_size):
    image = random_image(shape, dtype)
    compressed = compress(image, n_codes=10_000, block_size=block_size)
    restored = compressed.decompress()
    assert restored.dtype == image.dtype == compressed.dtype
    np.testing.assert_array_equal(restored, image)
    assert compressed.psnr(image, data_range=1.0) == np.inf
    assert len(compressed.codebook) <= compressed.codes.size


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    n_channels=st.integers(1, 4),
    block_size=st.integers(1, 5),
)
def test_blocks_come_apart_and_together(height, width, n_channels, block_size):
    shape = (height, width, n_channels)
    image = np.arange(np.prod(shape)).reshape(shape)
    blocks = _arrays.split_blocks(image, block_size)
    n_blocks = -(-height // block_size) * -(-width // block_size)
    assert blocks.shape == (n_blocks, block_size**2 * n_channels)
    np.testing.assert_array_equal(_arrays.join_blocks(blocks, shape, block_size), image)
    assert set(blocks.ravel()) == set(image.ravel())  # padding repeats what is there


def test_blocks_are_those_of_slices(picture):
    blocks = _arrays.split_blocks(picture, 4).reshape(16, 22, 4, 4, 3)
    for row, column in itertools.product(range(15), range(21)):
        tile = picture[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        np.testing.assert_array_equal(blocks[row, column], tile)


@pytest.mark.parametrize("block_size", [1, 3])
@pytest.mark.parametrize("value", [0, 7, 255])
def test_one_colour_takes_no_bits_but_the_codebook(value, block_size):
    image = np.full((10, 11, 4), value, dtype=np.uint8)
    compressed = compress(image, n_codes=16, block_size=block_size)
    np.testing.assert_array_equal(compressed.decompress(), image)
    assert len(compressed.codebook) == 1
    assert compressed.packed_codes.size == 0
    assert compressed.bits_per_pixel == compressed.codebook_bits_per_pixel
    assert compressed.entropy_bits_per_pixel == compressed.codebook_bits_per_pixel


def test_channel_axis_may_be_anywhere(picture):
    last = compress(picture, 8, 2, random_state=0)
    for axis in (0, 1, 2):
        moved = np.moveaxis(picture, -1, axis)
        compressed = compress(moved, 8, 2, channel_axis=axis, random_state=0)
        assert compressed.shape == moved.shape
        np.testing.assert_array_equal(
            compressed.decompress(), np.moveaxis(last.decompress(), -1, axis)
        )
    again = compress(np.moveaxis(picture, -1, 0), 8, 2, channel_axis=-3, random_state=0)
    np.testing.assert_array_equal(again.codebook, last.codebook)


def test_gray_is_one_channel(picture):
    gray = picture[..., 1]
    compressed = compress(gray, 8, 2, random_state=0)
    as_colour = compress(gray[..., None], 8, 2, random_state=0)
    assert compressed.decompress().shape == gray.shape
    np.testing.assert_array_equal(compressed.decompress(), as_colour.decompress()[..., 0])
    np.testing.assert_array_equal(
        compressed.codes, compress(gray, 8, 2, channel_axis=None, random_state=0).codes
    )


def test_alpha_is_compressed_along(picture):
    alpha = np.where(np.arange(picture.shape[1]) < 40, 0, 255).astype(np.uint8)
    image = np.dstack([picture, np.broadcast_to(alpha, picture.shape[:2])])
    compressed = compress(image, 16, random_state=0)
    assert compressed.codebook.shape == (16, 4)
    np.testing.assert_array_equal(compressed.decompress()[..., 3], image[..., 3])


# Distortion ----------------------------------------------------------------------------------


@pytest.mark.parametrize("block_size", [1, 2])
def test_every_block_gets_the_nearest_code(picture, block_size):
    compressed = compress(picture, 12, block_size, random_state=0)
    blocks = _arrays.split_blocks(picture, block_size).astype(float)
    distances = ((blocks[:, None] - compressed.codebook[None]) ** 2).sum(axis=2)
    taken = np.take_along_axis(distances, compressed.codes.reshape(-1, 1), axis=1)[:, 0]
    np.testing.assert_array_equal(taken, distances.min(axis=1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_psnr_by_its_definition(picture, dtype):
    image = picture.astype(dtype) * {"uint16": 257, "float32": 1 / 255, "float64": 1 / 255}.get(
        np.dtype(dtype).name, 1
    )
    image = image.astype(dtype)
    peak = {"uint8": 255, "uint16": 65535}.get(np.dtype(dtype).name, 1)
    compressed = compress(image, 16, random_state=0)
    error = np.mean((image.astype(float) - compressed.decompress().astype(float)) ** 2)
    expected = 10 * np.log10(peak**2 / error)
    assert compressed.psnr(image) == pytest.approx(expected, abs=1e-9)
    assert compressed.psnr(image, data_range=2 * peak) == pytest.approx(
        expected + 20 * np.log10(2)
    )
    # The same picture in another dtype: rounding of the codebook moves little.
    assert expected == pytest.approx(compress(picture, 16, random_state=0).psnr(picture), abs=0.2)


def test_more_codes_lose_less(picture):
    psnr = [compress(picture, k, 2, random_state=0).psnr(picture) for k in (1, 4, 16, 64, 256)]
    assert psnr == sorted(psnr)


@pytest.mark.parametrize("n_colours", [4, 16, 64])
def test_at_least_as_good_as_pillow(picture, n_colours):
    image_module = pytest.importorskip("PIL.Image")
    compressed = compress(picture, n_colours, random_state=0)
    methods = (image_module.Quantize.MEDIANCUT, image_module.Quantize.MAXCOVERAGE)
    for method, kmeans in itertools.product(methods, (0, 1)):
        palette = image_module.fromarray(picture).quantize(
            n_colours, method=method, kmeans=kmeans, dither=image_module.Dither.NONE
        )
        error = np.mean((np.asarray(palette.convert("RGB")).astype(float) - picture) ** 2)
        assert compressed.psnr(picture) > 20 * np.log10(255) - 10 * np.log10(error) - 0.1


# Rates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_codes", "length"), [(2, 1), (3, 2), (4, 2), (5, 3), (256, 8)])
def test_rates_by_counting(n_codes, length):
    image = np.random.default_rng(0).integers(256, size=(40, 30), dtype=np.uint8)
    compressed = compress(image, n_codes, random_state=0)
    n_pixels = image.size
    if n_codes < 256:
        assert len(compressed.codebook) == n_codes
    assert compressed.codebook_bits_per_pixel == 8 * len(compressed.codebook) / n_pixels
    rate = compressed.bits_per_pixel - compressed.codebook_bits_per_pixel
    assert rate == pytest.approx(length, abs=1e-12)
    assert compressed.packed_codes.nbytes == -(-length * n_pixels // 8)
    share = np.unique(compressed.codes, return_counts=True)[1] / n_pixels
    entropy = compressed.entropy_bits_per_pixel - compressed.codebook_bits_per_pixel
    assert entropy == pytest.approx(-np.sum(share * np.log2(share)), abs=1e-12)
    assert entropy <= rate


def test_rate_of_blocks_counts_padding():
    image = np.random.default_rng(0).integers(256, size=(9, 10), dtype=np.uint8)
    compressed = compress(image, 4, block_size=4, random_state=0)
    assert compressed.codes.shape == (3, 3)
    rate = compressed.bits_per_pixel - compressed.codebook_bits_per_pixel
    assert rate == pytest.approx(9 * 2 / 90, abs=1e-12)


@given(length=st.integers(0, 20), n_codes=st.integers(1, 50), seed=st.integers(0, 99))
def test_packing_is_undone(length, n_codes, seed):
    codes = np.random.default_rng(seed).integers(1 << length, size=n_codes)
    packed = _bits.pack(codes, length)
    assert packed.nbytes == -(-length * n_codes // 8)
    np.testing.assert_array_equal(_bits.unpack(packed, n_codes, length), codes)


# Files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("shape", "channel_axis"), [((7, 9), -1), ((3, 7, 9), 0), ((7, 9, 4), 2)])
def test_files_hold_everything(dtype, shape, channel_axis, tmp_path):
    image = random_image(shape, dtype, n_values=30)
    compressed = compress(image, 5, 2, channel_axis=channel_axis, random_state=0)
    path = tmp_path / "without_suffix"
    compressed.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["without_suffix"]
    loaded = CompressedImage.load(str(path))
    for field in dataclasses.fields(CompressedImage):
        np.testing.assert_array_equal(
            getattr(loaded, field.name), getattr(compressed, field.name), err_msg=field.name
        )
    assert loaded.dtype == compressed.dtype
    np.testing.assert_array_equal(loaded.decompress(), compressed.decompress())


def test_file_is_about_as_large_as_the_rate_says(tmp_path):
    image = np.random.default_rng(0).integers(256, size=(200, 200, 3), dtype=np.uint8)
    compressed = compress(image, 16, random_state=0)
    compressed.save(tmp_path / "image.npz")
    size = (tmp_path / "image.npz").stat().st_size
    assert 0 < size - compressed.bits_per_pixel * 200 * 200 / 8 < 2000  # headers of npz


def changed(compressed, **parts):
    file = io.BytesIO()
    names = ("codebook", "packed_codes", "shape", "block_size", "channel_axis", "alpha")
    np.savez(file, **{**{name: getattr(compressed, name) for name in names}, **parts})
    return file.getvalue()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"packed_codes": np.zeros(1, np.uint8)}, "packed bytes instead of"),
        ({"packed_codes": np.full(16, 255, np.uint8)}, "not in the codebook"),
        ({"shape": [9, 7]}, "shape"),
        ({"shape": [0, 9, 3]}, "shape"),
        ({"block_size": 2}, "codebook"),
        ({"block_size": 0}, "blocks of 0 pixels"),
        ({"codebook": np.zeros((3, 3), dtype=object)}, "dtype object"),
        ({"shape": 7}, "holds no compressed image"),
        ({"shape": [10**6, 10**6, 3]}, "more than max_pixels=134217728 pixels"),
        ({"channel_axis": 5}, "holds no compressed image"),
        ({"channel_axis": [1, 2]}, "holds no compressed image"),
        ({"codebook": np.full((3, 3), np.nan)}, "NaN"),
    ],
)
def test_files_whose_parts_do_not_fit_are_refused(parts, message, tmp_path):
    image = np.arange(7 * 9 * 3, dtype=np.uint8).reshape(7, 9, 3)
    compressed = compress(image, 3, channel_axis=2, random_state=0)
    (tmp_path / "good").write_bytes(changed(compressed))
    assert CompressedImage.load(tmp_path / "good").shape == (7, 9, 3)
    (tmp_path / "bad").write_bytes(changed(compressed, **parts))
    with pytest.raises(ValueError, match=message) as caught:
        CompressedImage.load(tmp_path / "bad")
    assert "holds no compressed image" in str(caught.value)


def test_files_of_another_kind_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    (tmp_path / "text").write_text("no image")
    (tmp_path / "empty").touch()
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "pickle").write_bytes(pickle.dumps({"codebook": 1}))
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("codebook", "x")
    for path in tmp_path.iterdir():
        with pytest.raises(ValueError, match="holds no compressed image"):
            CompressedImage.load(path)
    with pytest.raises(FileNotFoundError):
        CompressedImage.load(tmp_path / "absent")


def test_file_cut_short_is_refused(tmp_path):
    compressed = compress(np.eye(40), 2)
    path = tmp_path / "image.npz"
    compressed.save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="holds no compressed image"):
        CompressedImage.load(path)


def test_files_that_promise_much_are_refused_early(tmp_path):
    """A file of one code says that its image is large; others are compressed or encrypted."""
    path = tmp_path / "image.npz"
    compressed = compress(np.zeros((40, 40, 1)), 1)
    path.write_bytes(changed(compressed, shape=[10**5, 10**4, 1]))
    tracemalloc.start()
    with pytest.raises(ValueError, match="max_pixels"):
        CompressedImage.load(path)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()
    small = changed(compressed)
    path.write_bytes(small)
    assert CompressedImage.load(path, max_pixels=1600).shape == (40, 40, 1)
    with pytest.raises(ValueError, match="max_pixels=1599"):
        CompressedImage.load(path, max_pixels=1599)
    with zipfile.ZipFile(path) as stored, zipfile.ZipFile(tmp_path / "bomb", "w", 8) as deflated:
        for name in stored.namelist():
            deflated.writestr(name, stored.read(name))
    with pytest.raises(ValueError, match="compressed or encrypted"):
        CompressedImage.load(tmp_path / "bomb")


@pytest.mark.parametrize("seed", range(60))
def test_files_with_any_byte_changed_load_or_are_refused(tmp_path, seed):
    rng = np.random.default_rng(seed)
    content = bytearray(changed(compress(rng.integers(9, size=(9, 9)), 3, random_state=0)))
    for place in rng.integers(len(content), size=3):
        content[place] = rng.integers(256)
    (tmp_path / "image").write_bytes(content)
    try:
        CompressedImage.load(tmp_path / "image")
    except ValueError as error:
        assert "holds no compressed image" in str(error)


def test_large_images_unpack_piece_by_piece():
    rng = np.random.default_rng(0)
    for length in (1, 3, 8, 11):
        codes = rng.integers(1 << length, size=600_001)
        packed = pack(codes, length)
        tracemalloc.start()
        np.testing.assert_array_equal(unpack(packed, len(codes), length), codes)
        assert tracemalloc.get_traced_memory()[1] < 12 * 2**20
        tracemalloc.stop()


# Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.zeros(5), {}, r"two axes \(gray\) or three"),
        (np.zeros((2, 2, 2, 3)), {}, r"two axes \(gray\) or three"),
        (np.zeros((0, 5)), {}, "no pixels"),
        (np.zeros((4, 4, 0)), {}, "no pixels"),
        (np.array([[np.nan, 1.0]]), {}, "NaN or infinity"),
        (np.array([[np.inf, 1.0]]), {}, "NaN or infinity"),
        (np.array([["a"]]), {}, "dtype"),
        (np.array([[1j]]), {}, "dtype"),
        (np.array([[2**60, 0]]), {}, "float64 cannot tell apart"),
        (np.zeros((4, 4, 3)), {"channel_axis": None}, "channel_axis=-1"),
        (np.zeros((4, 4, 3)), {"channel_axis": 3}, "channel_axis=3"),
        (np.zeros((4, 4)), {"n_codes": 0}, "'n_codes'"),
        (np.zeros((4, 4)), {"block_size": 0}, "'block_size'"),
        (np.zeros((4, 4)), {"block_size": 1.5}, "'block_size'"),
    ],
)
def test_bad_images_are_refused(image, options, message):
    with pytest.raises(ValueError, match=message):
        compress(image, **{"n_codes": 2, **options})


def test_psnr_of_another_image_is_refused(picture):
    compressed = compress(picture, 4, random_state=0)
    with pytest.raises(ValueError, match=r"shape \(5, 5\)"):
        compressed.psnr(np.zeros((5, 5), np.uint8))
    with pytest.raises(ValueError, match="data_range=None"):
        compressed.psnr(picture.astype(float))
    with pytest.raises(ValueError, match="data_range=None"):
        compressed.psnr(picture.astype(np.int32))


def test_random_state_makes_it_reproducible(picture):
    first, second = (compress(picture, 9, 2, random_state=4) for _ in range(2))
    np.testing.assert_array_equal(first.packed_codes, second.packed_codes)
    other = compress(picture, 9, 2, random_state=5)
    assert not np.array_equal(first.codebook, other.codebook)
