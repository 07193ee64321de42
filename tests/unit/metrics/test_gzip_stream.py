"""A gzip stream made of pieces, which every decoder accepts."""

import gzip
import zlib
from collections.abc import Callable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.gzip_stream import Part, Piece, gzipped, kept, plain

texts = st.binary(max_size=2000) | st.builds(
    lambda a, n: a * n, st.binary(max_size=9), st.just(400)
)


@given(st.lists(st.tuples(texts, st.sampled_from(("plain", "compressed")))))
def test_any_mixture_of_plain_and_compressed_pieces_comes_back_whole(
    parts: list[tuple[bytes, str]],
) -> None:
    forms: dict[str, Callable[[bytes], Part]] = {
        "plain": bytes,
        "compressed": Piece.of,
    }
    mixed = [forms[form](text) for text, form in parts]
    whole = b"".join(text for text, _ in parts)
    stream = b"".join(gzipped(mixed))
    assert b"".join(plain(mixed)) == whole
    assert gzip.decompress(stream) == whole
    single = zlib.decompressobj(wbits=31)
    assert single.decompress(stream) == whole
    assert (single.eof, single.unused_data) == (True, b""), "one member, nothing behind it"


def test_kept_text_is_compressed_unless_it_is_short() -> None:
    short, long = b"x" * 2048, b"x" * 2049
    assert kept(short) == short
    found = kept(long)
    assert isinstance(found, Piece)
    assert found.text() == long
    assert len(found.deflated) < 100


class Scrape:
    """A stream of parts, and the number of parts consumed when each piece was returned."""

    def __init__(self, *parts: Part) -> None:
        self._parts = parts
        self._taken = 0

    def _one_by_one(self) -> Iterator[Part]:
        for part in self._parts:
            self._taken += 1
            yield part

    def taken(self) -> list[int]:
        whole = b"".join(plain(self._parts))
        stream, taken = b"", []
        for piece in gzipped(self._one_by_one()):
            stream += piece
            taken.append(self._taken)
        assert gzip.decompress(stream) == whole
        return taken[1:-1]  # without the header and the end


def test_part_is_written_as_soon_as_it_is_taken() -> None:
    kept = Piece.of(b"kept")
    assert Scrape(b"a", b"b", kept, b"c").taken() == [1, 2, 3, 3, 4, 4]


def test_plain_parts_that_follow_each_other_are_compressed_together() -> None:
    lines = [b'lag{consumer="worker-%d"} 5.0\n' % number for number in range(2000)]
    together = len(b"".join(gzipped(lines)))
    apart = sum(len(Piece.of(line).deflated) for line in lines)
    assert together * 3 < apart


def test_compressed_pieces_are_passed_on_as_they_are_with_nothing_between() -> None:
    first, second = Piece.of(b"first"), Piece.of(b"second")
    _, *between, _ = gzipped([first, second])
    assert between == [first.deflated, second.deflated]


def test_lines_that_look_alike_take_less_than_a_twelfth() -> None:
    lines = b"".join(
        b'sls_consumer_group_checkpoint_age_seconds{consumer="worker-%d",consumer_group="billing",'
        b'logstore="orders",project="shop",shard="%d"} %d.5\n'
        % (number, number, number * 7919 % 100_000)
        for number in range(2000)
    )
    assert len(b"".join(gzipped([lines]))) * 12 < len(lines)
    assert len(Piece.of(lines).deflated) * 12 < len(lines)
