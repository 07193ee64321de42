"""Blocks of LZ4 and zlib streams, compared with the reference libraries; frames of Zstandard."""

import contextlib
import zlib

import lz4.block
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator.compression import compress_lz4, compress_zstd, decompress_lz4, inflate

texts = st.binary(max_size=40) | st.integers(0, 1100).map(bytes)
repetitive = st.tuples(st.binary(min_size=1, max_size=9), st.integers(0, 400)).map(
    lambda drawn: drawn[0] * drawn[1]
)


@given(data=texts)
def test_lz4_block_is_what_the_reference_decompresses(data: bytes) -> None:
    block = compress_lz4(data)
    assert lz4.block.decompress(block, uncompressed_size=len(data)) == data


@given(data=texts | repetitive)
def test_lz4_block_of_the_reference_is_decompressed(data: bytes) -> None:
    block = lz4.block.compress(data, store_size=False)
    assert decompress_lz4(block, len(data)) == data
    for wrong in {len(data) + 1, max(0, len(data) - 1)} - {len(data)}:
        with pytest.raises(ValueError, match=r"block|size"):
            decompress_lz4(block, wrong)


@given(data=repetitive)
def test_zlib_stream_is_inflated_to_its_size_only(data: bytes) -> None:
    stream = zlib.compress(data)
    assert inflate(stream, len(data)) == data
    for wrong in {len(data) + 1, max(0, len(data) - 1)} - {len(data)}:
        with pytest.raises(ValueError, match="size"):
            inflate(stream, wrong)


@given(data=st.binary(max_size=60), size=st.integers(0, 200))
def test_any_bytes_give_data_of_the_size_or_a_value_error(data: bytes, size: int) -> None:
    for decompress in (decompress_lz4, inflate):
        with contextlib.suppress(ValueError):
            assert len(decompress(data, size)) == size


@pytest.mark.parametrize(
    "block",
    [
        b"\xf0",  # the length continues behind the end
        b"\x50ab",  # literals behind the end
        b"\x10a\x01",  # half an offset
        b"\x10a\x00\x00",  # the offset 0
        b"\x10a\x02\x00",  # an offset before the start
    ],
)
def test_incomplete_lz4_block_is_a_value_error(block: bytes) -> None:
    with pytest.raises(ValueError, match="block"):
        decompress_lz4(block, 100)


def test_zstd_frame_has_its_length_and_raw_blocks_of_at_most_128_kib() -> None:
    head = "28b52ffd a0"
    assert compress_zstd(b"") == bytes.fromhex(f"{head} 00000000 010000")
    assert compress_zstd(b"abc") == bytes.fromhex(f"{head} 03000000 190000") + b"abc"
    first, last = b"a" * 0x20000, b"b"
    assert compress_zstd(first + last) == b"".join(
        [bytes.fromhex(f"{head} 01000200 000010"), first, bytes.fromhex("090000"), last]
    )
    assert compress_zstd(first) == bytes.fromhex(f"{head} 00000200 010010") + first
