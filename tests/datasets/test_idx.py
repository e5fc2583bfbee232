"""Files in MNIST's format: every type and rank, compressed or not, and one clear error for what is
none."""

import doctest
import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from cnn_core.datasets import idx as idx_module
from cnn_core.datasets import read_idx, splitting

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
SHAPES = [(), (0,), (1,), (7,), (3, 4), (2, 28, 28), (2, 1, 3, 2), (1,) * 9, (3, 0, 2)]


def idx(array, code):
    """The bytes of a file that holds `array`, by the format's description."""
    head = struct.pack(">BBBB", 0, 0, code, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def some(shape, kind):
    rng = np.random.default_rng(len(shape))
    if kind[0] == "f":
        return rng.normal(size=shape).astype(kind)
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    return rng.integers(low, high, shape, kind, endpoint=True)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("code, kind", TYPES.items())
def test_every_type_and_rank_comes_back_as_it_was(code, kind, compress, tmp_path):
    path = tmp_path / "some-idx"
    for shape in SHAPES:
        array = some(shape, kind)
        path.write_bytes(compress(idx(array, code)))
        for given in (path, str(path)):
            found = read_idx(given)
            assert found.dtype == array.dtype and found.dtype.isnative
            assert found.shape == shape and np.array_equal(found, array)
            assert found.flags.writeable and found.flags.c_contiguous


def test_numbers_stand_as_the_format_says(tmp_path):
    path = tmp_path / "labels"
    path.write_bytes(bytes([0, 0, 0x0B, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 0xFF, 0xFE]))
    assert read_idx(path).tolist() == [[258, -2]]


def test_a_file_of_several_gzip_members_is_read_whole(tmp_path):
    whole, path = idx(some((5, 6), "u1"), 0x08), tmp_path / "images.gz"
    path.write_bytes(gzip.compress(whole[:9]) + gzip.compress(whole[9:]))
    assert np.array_equal(read_idx(path), some((5, 6), "u1"))


WHOLE = idx(some((3, 5), "i2"), 0x0B)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is no IDX file: .*this is empty"),
        (b"\0\0\x08", r"is no IDX file: .*begins with b'\\x00\\x00\\x08'"),
        (b"<!DOCTYPE html>", "is no IDX file: .*begins with b'<!DO'"),
        (b"PK\x03\x04" + bytes(20), r"is no IDX file: .*begins with b'PK"),
        (b"\0\0\x0a\x01" + bytes(20), r"is no IDX file: that begins .*0x08, 0x09, 0x0b"),
        (WHOLE[:10], "is cut off among its 2 dimensions"),
        (WHOLE[:-1], r"cut off: it should hold int16 of shape \(3, 5\), 30 bytes, and has 29"),
        (WHOLE[:12], r"cut off: it should hold int16 of shape \(3, 5\), 30 bytes, and has 0"),
        (WHOLE + b"\0", r"damaged: it should hold int16 of shape \(3, 5\), 30 bytes, and goes on"),
        (b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"\7", "shape .* is beyond NumPy"),
        (b"\0\0\x08\x05" + bytes(4) + b"\xff" * 16, "shape .* is beyond NumPy"),
    ],
)
def test_what_is_no_whole_file_is_refused(content, message, compress, tmp_path):
    path = tmp_path / "train-images"
    path.write_bytes(compress(content))
    with pytest.raises(ValueError, match=f"train-images .*{message}"):
        read_idx(path)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_size_that_is_only_claimed_takes_no_memory(compress, tmp_path):
    path = tmp_path / "huge"
    head = b"\0\0\x0e\x03" + b"\xff" * 12  # 2^99 bytes
    path.write_bytes(compress(head + bytes(1000)))
    tracemalloc.start()
    with pytest.raises(ValueError, match="cut off: it should hold float64 .*, and has 1,000"):
        read_idx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


def test_a_long_tail_is_not_read_into_memory(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(WHOLE + bytes(50_000_000)))
    tracemalloc.start()
    with pytest.raises(ValueError, match="goes on after them"):
        read_idx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


def test_a_damaged_compressed_file_is_refused(tmp_path):
    path, whole = tmp_path / "labels.gz", gzip.compress(idx(some((4000,), "u1"), 0x08))
    for at in (len(whole) // 2, len(whole) - 6):  # within the content, and its checksum
        spoiled = bytearray(whole)
        spoiled[at] ^= 0xFF
        path.write_bytes(spoiled)
        with pytest.raises(ValueError, match=r"labels.gz is compressed by gzip and damaged"):
            read_idx(path)
    for length in (2, 9, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"labels.gz is compressed by gzip and damaged"):
            read_idx(path)


def test_files_that_are_not_there_are_told_by_python(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_idx(tmp_path / "nothing")
    for wrong in (3, None, b"x", [1]):
        with pytest.raises(TypeError, match="path must be a str or a path, got"):
            read_idx(wrong)


def test_the_examples_of_the_package_are_right():
    assert doctest.testmod(idx_module).failed == doctest.testmod(splitting).failed == 0
