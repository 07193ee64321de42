"""A race: concurrent activities around an exporter, and what each of its responses must show."""

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{each}" for each in ("history", "oracle", "floor")))
