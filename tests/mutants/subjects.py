"""Which modules faults are put into, which tests must notice, and what need not be noticed."""

from collections.abc import Mapping

SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "exporter.signing": ("test_signing",),
    "exporter.snapshot": ("test_snapshot",),
    "exporter.progress": ("test_progress",),
    "exporter.metrics.counted": ("test_metrics_counted",),
    "exporter.metrics.lines": ("test_metrics_lines", "test_metrics"),
    "exporter.metrics.since": ("test_metrics_since", "test_metrics"),
    "exporter.metrics.pieces": ("test_metrics_pieces",),
    "exporter.metrics.text": ("test_metrics", "test_metrics_kept", "test_metrics_text"),
}
"""Tests by the module that they are about; quick ones, as each is run for each fault."""

_NO_FIPS = "differs only where OpenSSL is restricted to FIPS"
_SLOWER = "the same is written, only more slowly"
_NEGATIVE = "what is negative is written alike either way"
_EMPTY = "a block that has no lines is never written"
_NO_INSTANTS = "stands for instants where there are none, and then it is not looked at"
_ONE_EACH = "the heads are made of the same shards, one of each"
_PREPARED = "what requests has prepared has it; only the type says that it may be missing"

HARMLESS: Mapping[str, Mapping[str, str]] = {
    "exporter.signing": {
        "v1_content_md5: hashlib.md5(body, usedforsecurity=False) -> hashlib.md5(body)": _NO_FIPS,
        "v1_content_md5: False -> True": _NO_FIPS,
        "v4_signature: '~' -> '~X'": "letters are never quoted",
        "_parts: '' -> 'X'": _PREPARED,
        "_parts: 'GET' -> 'GETX'": _PREPARED,
        "V4Auth.__call__: '' -> 'X'": _PREPARED,
    },
    "exporter.metrics.counted": {
        "the module: '' -> 'X'": "what names no format is answered as what says nothing",
    },
    "exporter.metrics.lines": {
        "the module: 1000000.0 -> 999999.0": _SLOWER,
        "the module: 1000000000.0 -> 1000000001.0": _SLOWER,
        "the module: 10000000000.0 -> 9999999999.0": _SLOWER,
        "Block: b'' -> b'X'": _EMPTY,
        "filled: b'' -> b'X'": "stands only until it is replaced",
        "go_float: if -_PLAIN_BELOW < value < _PLAIN_BELOW -> if False": _SLOWER,
        "go_float: -_PLAIN_BELOW < value < _PLAIN_BELOW"
        " -> -_PLAIN_BELOW <= value < _PLAIN_BELOW": _NEGATIVE,
        "go_float: -_PLAIN_BELOW -> +_PLAIN_BELOW": _SLOWER,
        "go_float: if _TEN_DIGITS_FROM <= value < _TEN_DIGITS_BELOW -> if False": _SLOWER,
        "go_float: _TEN_DIGITS_FROM <= value < _TEN_DIGITS_BELOW"
        " -> _TEN_DIGITS_FROM < value < _TEN_DIGITS_BELOW": _SLOWER,
        "go_floats: is_plain = least > -_PLAIN_BELOW and most < _PLAIN_BELOW"
        " -> is_plain = None": _SLOWER,
        "go_floats: least > -_PLAIN_BELOW -> least >= -_PLAIN_BELOW": _NEGATIVE,
        "go_floats: -_PLAIN_BELOW -> +_PLAIN_BELOW": _SLOWER,
        "go_floats: if is_plain or (least >= _TEN_DIGITS_FROM and most < _TEN_DIGITS_BELOW)"
        " -> if False": _SLOWER,
        "go_floats: is_plain or (least >= _TEN_DIGITS_FROM and most < _TEN_DIGITS_BELOW)"
        " -> is_plain and (least >= _TEN_DIGITS_FROM and most < _TEN_DIGITS_BELOW)": _SLOWER,
        "go_floats: least >= _TEN_DIGITS_FROM -> least > _TEN_DIGITS_FROM": _SLOWER,
        "go_floats: least > -_PLAIN_BELOW -> least <= -_PLAIN_BELOW": _NEGATIVE,
        "go_floats: if b'e' not in text and b'0.0000' not in text and (b'null' not in text)"
        " -> if False": _SLOWER,
        "_ten_digits: b'0' -> b'0X'": "there is no X among digits",
    },
    "exporter.metrics.since": {
        "the module: 10 ** 9 -> 10 * 9": _SLOWER,
        "the module: 10 -> 9": _SLOWER,
        "the module: 9 -> 8": _SLOWER,
        "Since.of: b'' -> b'X'": "without instants there is one text",
        "Since.of: 0 -> 1": _NO_INSTANTS,
        "Since.of: 0 -> -1": _NO_INSTANTS,
        "Since.of: 0 -> 1 (2)": _NO_INSTANTS,
        "Since.of: 0 -> -1 (2)": _NO_INSTANTS,
        "Since.at: if self.oldest > until - _PLAIN_BELOW_MILLISECONDS and self.newest <= until"
        " -> if False": _SLOWER,
        "Since.at: until - _PLAIN_BELOW_MILLISECONDS -> until + _PLAIN_BELOW_MILLISECONDS": _SLOWER,
        "Since.at: self.newest <= until -> self.newest < until": _SLOWER,
        "ages: zip(heads, shards, strict=True) -> zip(heads, shards)": _ONE_EACH,
        "ages: True -> False": _ONE_EACH,
        "stalled: zip(heads, shards, strict=True) -> zip(heads, shards)": _ONE_EACH,
        "stalled: True -> False": _ONE_EACH,
    },
    "exporter.metrics.pieces": {
        "the module: 1 -> 2": "another level of compression with about the same result",
        "the module: 15 -> 14": "a window of half the size, read alike",
    },
    "exporter.metrics.text": {
        "GroupText.__init__: self.snapshot: Mapping[Metric, Block] = {}"
        " -> self.snapshot: Mapping[Metric, Block] = None": (
            "is looked into only where there is a snapshot, which replaces it"
        ),
        "_of_shards: if known -> if True": _EMPTY,
    },
}
"""Why a fault that no test notices is none, by its module and its name."""
