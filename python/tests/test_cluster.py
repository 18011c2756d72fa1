"""A cluster's catalog read by an application: from Python, and from C++ through libshoal."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

import shoal

PROJECT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tests"))
psycopg = pytest.importorskip("psycopg")


def home_tables() -> str:
    """The definition of the catalog's tables, from the source that creates them."""
    text = (PROJECT / "src/control/schema.cc").read_text()
    found = re.search(r'kHomeTables = R"sql\((.*?)\)sql"', text, re.DOTALL)
    assert found, "src/control/schema.cc no longer defines kHomeTables"
    return found.group(1)


@pytest.fixture(scope="module")
def catalog():
    from support.postgres import Server

    with Server("library") as server, psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA shoal")
        connection.execute(home_tables())
        connection.execute("INSERT INTO shoal.cluster (name, epoch, version) VALUES ('c', 7, 1)")
        for i in (1, 2, 3):
            connection.execute(
                "INSERT INTO shoal.shard (id, name, host, port, dbname, dsn, home, active) "
                "VALUES (%s, %s, 'localhost', %s, 'app', '', %s, %s)",
                (i, f"s{i}", str(5000 + i), i == 1, i != 3),
            )
        connection.execute(
            "INSERT INTO shoal.keyspace (id, name, function, params, key_types, slots) VALUES "
            "(1, 'tenants', 'postgres', '{\"slots\": 8}', '{int8}', 8),"
            "(2, 'links', 'ring', '{\"nodes\": [\"s1\", \"s2\"], \"vnodes\": 1}', '{varchar}', 2)"
        )
        connection.execute(
            "INSERT INTO shoal.slot_range (keyspace, first_slot, last_slot, shard) VALUES "
            "(1, 0, 3, 1), (1, 4, 6, 2), (2, 0, 0, 1), (2, 1, 1, 2)"
        )
        connection.execute("INSERT INTO shoal.pinned (keyspace, key, shard) VALUES (1, '1000', 2)")
        yield server.dsn(), connection


def expected_shard(key: int) -> str | None:
    if key == 1000:
        return "s2"
    slot = shoal.KeyFunction("postgres", {"slots": 8}, "int8").slot(key)
    return "s1" if slot < 4 else "s2" if slot < 7 else None


def test_read_cluster_places_keys_by_slots_and_pins(catalog):
    cluster = shoal.read_cluster(catalog[1])
    assert (cluster.name, cluster.epoch, sorted(cluster.shards)) == ("c", 7, ["s1", "s2"])
    assert cluster.shards["s1"] == shoal.Shard("s1", "localhost", "5001", "app", True)
    for key in [*range(50), 1000]:
        expected = expected_shard(key)
        if expected is None:
            with pytest.raises(shoal.KeyFunctionError, match="not assigned"):
                cluster.where("tenants", key)
        else:
            assert cluster.where("tenants", key).name == expected
    assert cluster.where("links", "abc").name in ("s1", "s2")
    with pytest.raises(KeyError):
        cluster.where("nothing", 1)


@pytest.mark.slow
def test_libshoal_installs_and_a_program_outside_finds_it(catalog, tmp_path):
    def run(*words, **options):
        done = subprocess.run([str(w) for w in words], capture_output=True, text=True, **options)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    build, installed, program = tmp_path / "build", tmp_path / "installed", tmp_path / "consumer"
    run(
        "cmake",
        "-S",
        PROJECT / "src/client",
        "-B",
        build,
        "-G",
        "Ninja",
        "-DCMAKE_BUILD_TYPE=Debug",
    )
    run("cmake", "--build", build)
    run("cmake", "--install", build, "--prefix", installed)
    run(
        "cmake",
        "-S",
        PROJECT / "src/client/consumer",
        "-B",
        program,
        "-G",
        "Ninja",
        f"-DCMAKE_PREFIX_PATH={installed}",
    )
    run("cmake", "--build", program)
    assert run(program / "consumer") == "ok\n"
    keys = [*range(20), 1000]
    printed = run(program / "consumer", catalog[0], "tenants", *keys).split()
    assert printed == [expected_shard(key) or "22023" for key in keys]
