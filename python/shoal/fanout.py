"""One call for each shard, in parallel."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional, TypeVar, Union, overload

T = TypeVar("T")


def shard_aliases(num_shards: int) -> list[str]:
    """["shard_0", "shard_1", ...]"""
    return [f"shard_{i}" for i in range(num_shards)]


def _names(num_shards: int, aliases: Optional[Sequence[str]]) -> list[str]:
    if aliases is not None:
        return list(aliases)
    if num_shards < 1:
        raise ValueError("num_shards must be at least 1")
    return shard_aliases(num_shards)


@overload
def for_each_shard(  # type: ignore[overload-overlap]  # a coroutine function is the narrower case
    call: Callable[[str], Coroutine[Any, Any, T]],
    num_shards: int = ...,
    aliases: Optional[Sequence[str]] = ...,
    *,
    max_parallel: int = ...,
    return_exceptions: bool = ...,
) -> Coroutine[Any, Any, dict[str, T]]: ...
@overload
def for_each_shard(
    call: Callable[[str], T],
    num_shards: int = ...,
    aliases: Optional[Sequence[str]] = ...,
    *,
    max_parallel: int = ...,
    return_exceptions: bool = ...,
) -> dict[str, T]: ...
def for_each_shard(
    call: Callable[[str], Any],
    num_shards: int = 4,
    aliases: Optional[Sequence[str]] = None,
    *,
    max_parallel: int = 16,
    return_exceptions: bool = False,
) -> Union[dict[str, Any], Coroutine[Any, Any, dict[str, Any]]]:
    """{"shard_0": call("shard_0"), ...}, or for the given aliases.

    An ordinary callable runs in threads, each with the caller's context variables (the active key
    among them); an `async def` gives a coroutine to await. All calls are made and awaited; then the
    first exception, in the order of the shards, is raised, with a note that names its shard. With
    return_exceptions no exception is raised: it stands in the result of its shard.
    """
    target = call if inspect.isroutine(call) else getattr(call, "__call__", call)
    if inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(target):
        return for_each_shard_async(
            call,
            num_shards,
            aliases,
            max_parallel=max_parallel,
            return_exceptions=return_exceptions,
        )
    names = _names(num_shards, aliases)
    if not names:
        return {}
    with ThreadPoolExecutor(max(1, min(max_parallel, len(names)))) as pool:
        futures = [pool.submit(contextvars.copy_context().run, call, name) for name in names]
    out: dict[str, Any] = {name: f.exception() or f.result() for name, f in zip(names, futures)}
    coroutines = [result for result in out.values() if inspect.iscoroutine(result)]
    if coroutines:
        for coroutine in coroutines:
            coroutine.close()
        raise TypeError("the callable returned a coroutine; await for_each_shard_async() instead")
    failed = {name for name, f in zip(names, futures) if f.exception() is not None}
    return _judge(out, failed, return_exceptions)


async def for_each_shard_async(
    call: Callable[[str], Awaitable[T]],
    num_shards: int = 4,
    aliases: Optional[Sequence[str]] = None,
    *,
    max_parallel: int = 16,
    return_exceptions: bool = False,
) -> dict[str, T]:
    """The same for callables that return awaitables."""
    names = _names(num_shards, aliases)
    gate = asyncio.Semaphore(max(1, max_parallel))

    async def one(name: str) -> T:
        async with gate:
            return await call(name)

    results = await asyncio.gather(*(one(name) for name in names), return_exceptions=True)
    out: dict[str, Any] = dict(zip(names, results))
    failed = {name for name, result in out.items() if isinstance(result, BaseException)}
    return _judge(out, failed, return_exceptions)


def _judge(out: dict[str, Any], failed: set[str], return_exceptions: bool) -> dict[str, Any]:
    for name, result in out.items():
        if name in failed:
            if hasattr(result, "add_note"):
                result.add_note(f"on {name}")
            if not return_exceptions:
                raise result
    return out
