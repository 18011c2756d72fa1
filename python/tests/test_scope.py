"""The active key and the fan-out, in threads and tasks."""

import asyncio
import threading
import time

import pytest

import shoal


def test_with_key_and_with_shard_key_are_one_function():
    assert shoal.with_key is shoal.with_shard_key
    assert shoal.current_key is shoal.get_shard_key


def test_scopes_nest_and_end_also_after_an_error():
    assert shoal.current_key() is None
    with shoal.with_key(1) as key:
        assert key == 1 and shoal.current_key() == 1
        with pytest.raises(ZeroDivisionError), shoal.with_shard_key(2):
            assert shoal.get_shard_key() == 2
            1 / 0
        assert shoal.current_key() == 1
    assert shoal.current_key() is None


def test_none_is_no_key_and_a_scope_is_entered_once_at_a_time():
    with pytest.raises(ValueError):
        shoal.with_key(None)
    scope = shoal.with_key(1)
    with scope, pytest.raises(RuntimeError), scope:
        pass
    assert shoal.current_key() is None
    with scope:
        assert shoal.current_key() == 1


def test_zero_and_empty_text_are_keys():
    for key in (0, ""):
        with shoal.with_key(key):
            assert shoal.current_key() == key
            assert shoal.current_key() is not None


def test_tasks_keep_their_own_key():
    async def request(key, seen):
        async with shoal.with_shard_key(key):
            await asyncio.sleep(0.01)
            seen.append((key, shoal.current_key()))

    async def main():
        seen = []
        await asyncio.gather(*(request(k, seen) for k in range(1, 20)))
        return seen, shoal.current_key()

    seen, after = asyncio.run(main())
    assert len(seen) == 19 and all(key == current for key, current in seen)
    assert after is None


def test_other_threads_see_no_key():
    seen = []
    with shoal.with_key(1):
        thread = threading.Thread(target=lambda: seen.append(shoal.current_key()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_for_each_shard_names_the_shards_in_order():
    assert shoal.for_each_shard(str.upper) == {
        "shard_0": "SHARD_0",
        "shard_1": "SHARD_1",
        "shard_2": "SHARD_2",
        "shard_3": "SHARD_3",
    }
    assert list(shoal.for_each_shard(len, num_shards=2)) == ["shard_0", "shard_1"]
    assert shoal.for_each_shard(len, aliases=["red", "green"]) == {"red": 3, "green": 5}
    with pytest.raises(ValueError):
        shoal.for_each_shard(len, num_shards=0)


def test_for_each_shard_is_parallel():
    together = threading.Barrier(4, timeout=10)  # a sequential caller would never pass it
    assert shoal.for_each_shard(lambda name: together.wait() >= 0, num_shards=4) == {
        f"shard_{i}": True for i in range(4)
    }


def test_for_each_shard_hands_the_active_key_to_its_threads():
    with shoal.with_key("tenant-9"):
        assert set(shoal.for_each_shard(lambda _: shoal.current_key()).values()) == {"tenant-9"}


def test_for_each_shard_makes_all_calls_and_raises_the_first_error_with_its_shard():
    called = []

    def call(name):
        called.append(name)
        if name in ("shard_1", "shard_2"):
            raise KeyError(name)

    with pytest.raises(KeyError) as caught:
        shoal.for_each_shard(call)
    assert caught.value.args == ("shard_1",)
    assert sorted(called) == shoal.shard_aliases(4)
    if hasattr(caught.value, "__notes__"):
        assert caught.value.__notes__ == ["on shard_1"]


def test_for_each_shard_of_a_coroutine_function_is_awaited_and_parallel():
    async def main():
        arrived, all_here = [], asyncio.Event()

        async def call(name):
            arrived.append(name)
            if len(arrived) == 4:
                all_here.set()
            await asyncio.wait_for(all_here.wait(), 10)
            return name[-1]

        with shoal.with_key(5):
            return await shoal.for_each_shard(call, num_shards=4)

    assert asyncio.run(main()) == {"shard_0": "0", "shard_1": "1", "shard_2": "2", "shard_3": "3"}


def test_a_plain_function_that_returns_coroutines_is_an_error_that_says_what_to_do():
    async def call(name):
        return name

    with pytest.raises(TypeError, match="for_each_shard_async"):
        shoal.for_each_shard(lambda name: call(name))
    assert asyncio.run(shoal.for_each_shard_async(lambda name: call(name), 2)) == {
        "shard_0": "shard_0",
        "shard_1": "shard_1",
    }


def test_async_errors_name_their_shard():
    async def call(name):
        if name == "shard_2":
            raise LookupError(name)

    with pytest.raises(LookupError):
        asyncio.run(shoal.for_each_shard(call))


def test_max_parallel_bounds_the_calls():
    lock, now, most = threading.Lock(), 0, 0

    def call(_):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1

    shoal.for_each_shard(call, num_shards=12, max_parallel=3)
    assert 1 < most <= 3


def test_return_exceptions_gives_every_shards_result_or_error():
    def call(name):
        if name in ("shard_1", "shard_2"):
            raise KeyError(name)
        return name

    async def call_async(name):
        return call(name)

    for results in (
        shoal.for_each_shard(call, return_exceptions=True),
        asyncio.run(shoal.for_each_shard(call_async, return_exceptions=True)),
    ):
        assert list(results) == ["shard_0", "shard_1", "shard_2", "shard_3"]
        assert (results["shard_0"], results["shard_3"]) == ("shard_0", "shard_3")
        for name in ("shard_1", "shard_2"):
            assert isinstance(results[name], KeyError) and results[name].__notes__ == [f"on {name}"]


def test_all_keys_says_that_no_key_is_meant():
    from shoal.scope import means_all_keys

    with shoal.with_key(1):
        with shoal.all_keys():
            assert shoal.current_key() is None and means_all_keys()
            with shoal.with_key(2):
                assert shoal.current_key() == 2 and not means_all_keys()
        assert shoal.current_key() == 1 and not means_all_keys()
    assert not means_all_keys()
