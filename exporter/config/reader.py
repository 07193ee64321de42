"""A reader that turns a file or a text into a ``Config``, or reports all its problems."""

from collections.abc import Mapping
from pathlib import Path

from exporter.base.files import MIB, read
from exporter.config.checks import check
from exporter.config.problems import ConfigError
from exporter.config.same_series import same_series
from exporter.config.schema import Config
from exporter.config.validation import Format, unread
from exporter.model.credentials import SECRET_VARIABLES

MAX_FILE_BYTES = 64 * MIB
_FORMAT = Format(
    model=Config,
    check=check,
    secret_keys=frozenset({"credentials"}),
    secret_variables=SECRET_VARIABLES,
    max_bytes=MAX_FILE_BYTES,
    max_values=1_000_000,
)


def load(path: Path, *, environ: Mapping[str, str]) -> Config:
    """Read a file. Relative paths in it are relative to its directory. Raises only ConfigError."""
    try:
        content = read(path, MAX_FILE_BYTES, regular=False)  # allows /dev/stdin
    except OSError as error:
        raise cannot_read(str(path), error) from None
    return parse(content, name=str(path), environ=environ, base_dir=path.parent)


def cannot_read(name: str, error: OSError) -> ConfigError:
    """Return the error for a source that cannot be read."""
    return _FORMAT.error(name, [unread(error)])


def parse(text: str | bytes, *, name: str, environ: Mapping[str, str], base_dir: Path) -> Config:
    """Read a text, which messages call ``name``. Relative paths are relative to ``base_dir``.

    Raises only ConfigError, with all problems of the text.
    """
    reading = _FORMAT.read(text, environ=environ, context=base_dir)
    if reading.model is not None and not reading.problems:
        for problem in same_series(reading.model):
            reading.add(problem)
    if reading.model is None or reading.problems:
        raise _FORMAT.error(name, reading.problems)
    return reading.model
