"""The active key of a piece of code: a context variable, so threads and tasks keep their own."""

from __future__ import annotations

import contextvars
from types import TracebackType
from typing import Any, Optional

_active: contextvars.ContextVar[Any] = contextvars.ContextVar("shoal_key", default=None)


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


def current_key() -> Any:
    """The active key, or None outside every scope."""
    return _active.get()


get_shard_key = current_key
