"""Modules for mutation testing, the tests that must kill the mutants, and equivalent mutants."""

from collections.abc import Mapping

SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "exporter.sls.signing": ("test_signing",),
    "exporter.model.snapshot": ("test_snapshot",),
    "exporter.evaluation.shard": ("test_shard",),
    "exporter.evaluation.causes": ("test_causes",),
    "exporter.evaluation.owners": ("test_owners",),
    "exporter.evaluation.rates": ("test_rates",),
    "exporter.evaluation.outlook": ("test_outlook",),
    "exporter.metrics.registry_text": ("test_registry_text",),
    "exporter.metrics.text_format": ("test_text_format", "test_catalogue"),
    "exporter.metrics.ages": ("test_ages", "test_catalogue"),
    "exporter.metrics.rollups": ("test_rollups",),
    "exporter.metrics.gzip_stream": ("test_gzip_stream",),
    "exporter.metrics.polled_text": ("test_catalogue", "test_polled_text"),
    "exporter.metrics.values": ("test_catalogue",),
}
"""Tests by the module that they cover, in the folder of its package below ``tests/unit``.

They must be fast, since each one runs for each mutant.
"""

_NO_FIPS = "differs only where OpenSSL is restricted to FIPS"
_SLOWER = "the same is written, only more slowly"
_EXTRA = "more ages are kept, of which the largest is the same"
_EMPTY = "a block that has no lines is never written"
_ONE_EACH = "there is one for each of the others"
_TYPE = "only names a type"
_ENDING = "no other name ends like that"
_NO_STEP = "a shard that is unchanged counts nothing"
_OTHER_NAME = "no other label has this name"

HARMLESS: Mapping[str, Mapping[str, str]] = {
    "exporter.sls.signing": {
        "v1_content_md5: hashlib.md5(body, usedforsecurity=False) -> hashlib.md5(body)": _NO_FIPS,
        "v1_content_md5: False -> True": _NO_FIPS,
        "v4_signature: '~' -> '~X'": "letters are never quoted",
    },
    "exporter.evaluation.shard": {
        "state: if progress.unread is None -> if False": "the start of a stall is unknown too",
    },
    "exporter.evaluation.causes": {
        "_Latest._leaders: 2 -> 3": "the first two are the same",
    },
    "exporter.evaluation.rates": {
        "advanced: before is None or before is shard or _is_recreated(before, shard) ->"
        " before is None or _is_recreated(before, shard)": _NO_STEP,
        "advanced: written is not None and before.end is not None and (shard.end is not None)"
        " -> before.end is not None and shard.end is not None": "known as soon as an end is",
        "_checkpoint_step: if before.checkpoint == shard.checkpoint -> if False": _NO_STEP,
    },
    "exporter.evaluation.outlook": {
        "shard_outlook: 0.0 -> -1.0 (2)": "a speed of 0 is below 1 with either error",
    },
    "exporter.metrics.text_format": {
        "Block: b'' -> b'X'": _EMPTY,
    },
    "exporter.metrics.ages": {
        "the module: 10 -> 9": _SLOWER,
        "the module: 14 -> 15": _SLOWER,
        "the module: 14 -> 13": _SLOWER,
        "the module: 10 ** 7 -> 10 * 7": _SLOWER,
        "the module: 7 -> 6": _SLOWER,
        "AgeLines.of: zip(tenths, untils, strict=False) -> zip(tenths, untils)": "is the default",
        "AgeLines.of: tenth is not None and stop < until -> tenth is not None": _SLOWER,
        "AgeLines.of: stop < until -> stop <= until": _SLOWER,
        "AgeLines.of: newest - min(counting) -> newest + min(counting)": _SLOWER,
        "AgeLines.at: if least >= 0 and bits <= _KNOWN_BITS -> if False": _SLOWER,
        "AgeLines.at: least >= 0 -> least > 0": _SLOWER,
        "AgeLines.at: 0 -> 1": _SLOWER,
        "AgeLines.at: 0 -> -1": _SLOWER,
        "AgeLines.at: bits <= _KNOWN_BITS -> bits < _KNOWN_BITS": _SLOWER,
        "AgeLines.at: 0 -> -1 (3)": "a negative time counts as none",
        "_known: 1 -> 2": _SLOWER,
        "_written: if min(times) < 0 -> if True": _SLOWER,
        "_written: min(times) < 0 -> min(times) <= 0": _SLOWER,
        "_written: 0 -> 1": _SLOWER,
        "_written: 0 -> -1": _SLOWER,
        "_written: if max(times) >= _PLAIN_BELOW -> if True": _SLOWER,
        "age_lines: if not heads -> if False": _EMPTY,
    },
    "exporter.metrics.rollups": {
        "rolled_up: zip(shards, values, strict=True) -> zip(shards, values)": _ONE_EACH,
        "rolled_up: True -> False": _ONE_EACH,
        "_lasting: sorted(spans, key=lambda span: (span[0], -span[1])) -> sorted(spans)": _EXTRA,
        "_lasting: (span[0], -span[1]) -> (span[0],)": _EXTRA,
        "_lasting: -span[1] -> +span[1]": _EXTRA,
        "_lasting: 1 -> 0": _EXTRA,
        "_lasting: if until - since > longest -> if True": _EXTRA,
        "_lasting: until - since > longest -> until - since >= longest": _EXTRA,
        "_lasting: until - since -> until + since": _EXTRA,
    },
    "exporter.metrics.gzip_stream": {
        "the module: 1 -> 2": "another level of compression with about the same result",
        "the module: 15 -> 14": "a window of half the size, read alike",
        "the module: Part = bytes | Piece -> Part = None": _TYPE,
    },
    "exporter.metrics.polled_text": {
        "the module: _Lines = Block | AgeLines | LargestAge -> _Lines = None": _TYPE,
        "GroupText.__init__: self.config = config -> self.config = None": _SLOWER,
        "GroupText.unserved: if self._unserved is None -> if True": _SLOWER,
        "PolledText.prepare_group: self._group(group, config) -> None": _SLOWER,
        "PolledText._group: known = self._prepared.get(group.key) -> known = None": _SLOWER,
        "PolledText._group: if known is None or known.group is not group or known.config"
        " is not config -> if True": _SLOWER,
        "PolledText._logstore: known = self._logstores.get(target.key) -> known = None": _SLOWER,
        "PolledText._logstore: if known is None or known.target is not target -> if True": _SLOWER,
        "_openmetrics_header: '' -> 'X'": _ENDING,
        "_of_project: zip(family.labels, place, strict=True) -> zip(family.labels, place)": (
            _ONE_EACH
        ),
        "_of_project: True -> False": _ONE_EACH,
        "_of_project: 1 -> 2": "these lines are not counted",
        "_block: zip(family.labels[-len(more):], more, strict=True)"
        " -> zip(family.labels[-len(more):], more)": _ONE_EACH,
        "_block: True -> False": _ONE_EACH,
        "_of_shards: if not known -> if False": _EMPTY,
        "_heads: name < 'consumer' -> name <= 'consumer'": _OTHER_NAME,
        "_heads: 'consumer' < name < 'shard' -> 'consumer' <= name < 'shard'": _OTHER_NAME,
        "_heads: 'consumer' < name < 'shard' -> 'consumer' < name <= 'shard'": _OTHER_NAME,
        "_heads: name > 'shard' -> name >= 'shard'": _OTHER_NAME,
    },
}
"""Why a surviving mutant is equivalent to the original, by module and name of the mutant."""
