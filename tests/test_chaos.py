"""Nothing is lost or halved when routers and shards are killed while clients write.

Each check has a positive control: a client that commits on two servers one after the other, which
the same check must find guilty.
"""

import json
import os
import random
import signal
import time

import psycopg
import pytest
from support import bank
from support.cluster import Cluster
from support.postgres import Server


def pids(cluster: Cluster) -> dict[str, int]:
    status = json.loads(cluster.status_json())
    processes = status["processes"] if isinstance(status, dict) else status
    return {p["name"]: int(p["pid"]) for p in processes}


def shard_urls(cluster: Cluster) -> list[str]:
    return [
        cluster.url(f"s{n}").replace("//app@", "//postgres@") for n in range(1, cluster.shards + 1)
    ]


def bring_up(cluster: Cluster) -> None:
    """A server that was killed may hold its memory for a moment longer."""
    for attempt in range(20):
        try:
            return cluster.up()
        except RuntimeError:
            if attempt == 19:
                raise
            time.sleep(0.5)


def settled_damage(urls: list[str], load: bank.Load, seconds: float = 30) -> list[str]:
    """What is wrong once recovery has had its time."""
    deadline = time.monotonic() + seconds
    while (found := bank.damage(urls, load)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


@pytest.fixture(scope="module")
def cluster():
    with Cluster(3) as made:
        yield made


@pytest.fixture
def accounts(cluster):
    bank.create(cluster.url())
    yield cluster
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        for table in bank.TABLES:
            connection.execute(f"DROP TABLE IF EXISTS {table}")


def test_transfers_over_shards_keep_the_sum(accounts):
    with bank.Load(accounts.url()) as load:
        time.sleep(4)
    assert len(load.acknowledged) > 50, load.workers
    assert settled_damage(shard_urls(accounts), load) == []


@pytest.mark.parametrize("times", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_a_killed_router_loses_and_halves_nothing(accounts, times):
    with bank.Load(accounts.url(), seed=2) as load:
        for _ in range(times):
            time.sleep(1.5)
            os.kill(pids(accounts)["router"], signal.SIGKILL)
            bring_up(accounts)
        time.sleep(1.5)
    assert len(load.acknowledged) > 30, load.workers
    assert settled_damage(shard_urls(accounts), load) == []


@pytest.mark.parametrize(
    "name, times", [("s2", 1), ("s1", 1), pytest.param("s3", 6, marks=pytest.mark.slow)]
)
def test_a_killed_shard_loses_and_halves_nothing(accounts, name, times):
    with bank.Load(accounts.url(), seed=3) as load:
        for _ in range(times):
            time.sleep(1.5)
            os.kill(pids(accounts)[name], signal.SIGKILL)
            time.sleep(0.5)
            bring_up(accounts)
        time.sleep(2)
    assert len(load.acknowledged) > 30, load.workers
    assert settled_damage(shard_urls(accounts), load) == []


def test_router_and_shard_killed_together_lose_and_halve_nothing(accounts):
    with bank.Load(accounts.url(), seed=4) as load:
        time.sleep(1.5)
        running = pids(accounts)
        os.kill(running["router"], signal.SIGKILL)
        os.kill(running["s2"], signal.SIGKILL)
        time.sleep(0.5)
        bring_up(accounts)
        time.sleep(2)
    assert len(load.acknowledged) > 20, load.workers
    assert settled_damage(shard_urls(accounts), load) == []


def test_a_stopped_shard_hurts_only_its_own_keys(accounts):
    with psycopg.connect(shard_urls(accounts)[2], autocommit=True) as shard:
        theirs = {r[0] for r in shard.execute("SELECT k FROM bank")}
        backend_pids = [
            r[0]
            for r in shard.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <>"
                " pg_backend_pid()"
            )
        ]
    others = [k for k in range(bank.ACCOUNTS) if k not in theirs]
    with psycopg.connect(accounts.url(), autocommit=True) as connection:
        connection.execute("SELECT v FROM bank WHERE k = %s", (others[0],))
        stopped = [pids(accounts)["s3"], *backend_pids]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            for k in others:
                connection.execute("UPDATE bank SET v = v WHERE k = %s", (k,))
            assert time.monotonic() - started < 10
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        assert connection.execute("SELECT count(*) FROM bank").fetchone() == (bank.ACCOUNTS,)


def test_atomic_reads_never_see_half_a_transfer(accounts):
    """Where the atomic snapshot is offered, the sum is constant in every read; else it is
    refused."""
    with psycopg.connect(accounts.url(), autocommit=True) as reader:
        try:
            reader.execute("SET shoal.snapshot = 'atomic'")
        except psycopg.Error as error:
            assert (error.diag.message_detail or "").startswith("SH0401"), error
            pytest.skip("the atomic snapshot is refused with its number")
        with bank.Load(accounts.url(), seed=5) as load:
            until = time.monotonic() + 4
            while time.monotonic() < until:
                assert reader.execute("SELECT sum(v) FROM bank").fetchone() == (
                    bank.ACCOUNTS * bank.START,
                )
        assert len(load.acknowledged) > 20


# -- positive controls: the same checks, on a client that does it wrong
# -----------------------------


class Halving:
    """Writes on two servers and commits one after the other; sometimes it stops in between."""

    def __init__(self, urls: list[str]):
        self.urls = urls

    def __call__(self, _, chance: random.Random, token: int) -> None:
        source, target = sorted(chance.sample(range(bank.ACCOUNTS), 2))
        places = [(source, -7, "pair_a"), (target, 7, "pair_b")]
        for number, (k, amount, table) in enumerate(places):
            if number == 1 and chance.random() < 0.2:
                raise psycopg.OperationalError("killed between two commits")
            with psycopg.connect(self.urls[k % 2]) as server:
                server.execute("UPDATE bank SET v = v + %s WHERE k = %s", (amount, k))
                server.execute(f"INSERT INTO {table} VALUES (%s, %s)", (k, token))


@pytest.fixture(scope="module")
def two_servers():
    with Server("half1") as one, Server("half2") as two:
        yield [one.url(), two.url()]


@pytest.fixture
def halves(two_servers):
    for number, url in enumerate(two_servers):
        bank.create(url, placement=False)
        with psycopg.connect(url) as server:
            server.execute("DELETE FROM bank WHERE k %% 2 <> %s", (number,))
    yield two_servers
    for url in two_servers:
        with psycopg.connect(url) as server:
            server.execute(f"DROP TABLE {', '.join(bank.TABLES)}")


def test_control_two_commits_one_after_the_other_are_found_guilty(halves):
    with bank.Load(halves[0], workers=2, act=Halving(halves)) as load:
        time.sleep(1.5)
    found = " ".join(bank.damage(halves, load))
    assert "the sum is" in found and "half there" in found


def test_control_a_lost_acknowledged_transaction_is_found(halves):
    act = Halving(halves)
    with bank.Load(halves[0], workers=1, act=act) as load:
        time.sleep(1)
    with psycopg.connect(halves[0]) as server:
        server.execute("DELETE FROM pair_a")
    assert "acknowledged transactions are lost" in " ".join(bank.damage(halves, load))


def test_control_a_transaction_left_prepared_is_found(halves):
    with bank.Load(halves[0], workers=1, act=lambda *_: time.sleep(0.01)) as load:
        pass
    load.workers[0].acknowledged.clear()
    with psycopg.connect(halves[0], autocommit=True) as server:
        server.execute("BEGIN")
        server.execute("UPDATE bank SET v = v WHERE k = 0")
        server.execute("PREPARE TRANSACTION 'left'")
        assert "still prepared" in " ".join(bank.damage(halves, load))
        server.execute("ROLLBACK PREPARED 'left'")
    assert bank.damage(halves, load) == []
