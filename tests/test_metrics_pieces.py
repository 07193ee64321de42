"""A gzip stream made of pieces is one that every reader takes."""

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.pieces import Piece, gzipped, plain

texts = st.binary(max_size=2000) | st.builds(
    lambda a, n: a * n, st.binary(max_size=9), st.just(400)
)


@given(st.lists(st.tuples(texts, st.booleans())))
def test_any_mixture_of_plain_and_compressed_pieces_comes_back_whole(
    parts: list[tuple[bytes, bool]],
) -> None:
    mixed = [Piece.of(text) if compressed else text for text, compressed in parts]
    whole = b"".join(text for text, _ in parts)
    stream = b"".join(gzipped(mixed))
    assert b"".join(plain(mixed)) == whole
    assert gzip.decompress(stream) == whole
    single = zlib.decompressobj(wbits=31)
    assert single.decompress(stream) == whole
    assert (single.eof, single.unused_data) == (True, b""), "one member, nothing behind it"


def test_large_plain_parts_are_passed_on_while_more_come() -> None:
    taken = 0

    def parts() -> list[bytes]:
        return [b"x" * 300_000] * 3

    for piece in gzipped(parts()):
        taken += len(piece)
    assert 0 < taken < 20_000
