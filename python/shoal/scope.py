"""The active key of a piece of code: a context variable, so threads and tasks keep their own."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Optional

_active: contextvars.ContextVar[Any] = contextvars.ContextVar("shoal_key", default=None)


_all_keys: contextvars.ContextVar[bool] = contextvars.ContextVar("shoal_all_keys", default=False)


class NoActiveKey(RuntimeError):
    """A sharded model or table was used outside with_key()."""


class with_key:
    """`with with_key(42): ...` or `async with with_key(42): ...`: the key is 42 inside.

    Scopes nest; the inner key counts, and the outer one is back afterwards. One object is one
    scope: to enter it twice at once is an error.
    """

    __slots__ = ("_key", "_token")

    def __init__(self, key: Any) -> None:
        if key is None:
            raise ValueError("a shard key must not be None")
        self._key = key
        self._token: Optional[contextvars.Token[Any]] = None

    def __enter__(self) -> Any:
        if self._token is not None:
            raise RuntimeError("this scope was entered already")
        self._token = _active.set(self._key)
        return self._key

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        token, self._token = self._token, None
        if token is not None:
            _active.reset(token)

    async def __aenter__(self) -> Any:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.__exit__(kind, error, trace)


with_shard_key = with_key


@contextmanager
def all_keys() -> Iterator[None]:
    """`with all_keys(): ...`: the code inside is about all keys, and means it.

    For reports and maintenance behind the router, which then runs a statement over all shards: what
    asks for an active key is content without one.
    """
    key, everything = _active.set(None), _all_keys.set(True)
    try:
        yield
    finally:
        _all_keys.reset(everything)
        _active.reset(key)


def means_all_keys() -> bool:
    """Whether the code runs in all_keys(), and in no with_key() inside of it."""
    return _all_keys.get() and _active.get() is None


def current_key() -> Any:
    """The active key, or None outside every scope."""
    return _active.get()


get_shard_key = current_key
