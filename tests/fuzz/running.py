"""Resources of targets that run until the process ends, such as servers."""

import atexit
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

T = TypeVar("T")

_STACK = ExitStack()
atexit.register(_STACK.close)


def keep(made: AbstractContextManager[T]) -> T:
    """Enter a context that is left when the process ends."""
    return _STACK.enter_context(made)
