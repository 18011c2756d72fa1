"""The command line without a router: settings, refusals, key vectors; and the life of a development
cluster: made once, found again, stopped, removed."""

from __future__ import annotations

import json
import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.request

import psycopg
import pytest

from support.cluster import Cluster, available, binary

pytestmark = pytest.mark.skipif(not available(), reason="build/release/shoal is not built")

PG_VARIABLES = {"PGHOST": "elsewhere.invalid", "PGDATA": "/nowhere", "PGUSER": "nobody"}


def shoal(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(binary()), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("catalog.dns=x", "did you mean catalog.dsn?"),
        ("bogus=1", "there is no such setting"),
        ("limits.clients=0", "1 .. 1000000000"),
        ("limits.clients=many", "1 .. 1000000000"),
        ("limits.pool_wait=5 parsecs", "with a unit: ms s min h"),
        ("limits.pull_bytes=99999999999GB", "with a unit: kB MB GB"),
        ("auth.method=md5", "scram-sha-256 | password | trust"),
        ("listen.port", "key=value is needed"),
    ],
)
def test_a_setting_that_is_not_possible_is_an_error_that_says_what_is(setting, why):
    done = shoal("serve", "--check", "--set", "catalog.dsn=host=h", "--set", setting)
    assert done.returncode == 1
    assert why in done.stderr


def test_the_command_line_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    file = tmp_path / "router.toml"
    file.write_text(
        'threads = 3\n[catalog]\ndsn = "host=h"\n[limits]\npool_wait = "2min"\nclients = 77\n'
        'pull_bytes = "3MB"\n[auth]\nadmin_users = ["a", "b"]\n'
    )
    done = shoal("serve", "--check", "-c", str(file), "--set", "limits.clients=78")
    assert done.returncode == 0, done.stderr
    values = dict(line.split(" = ", 1) for line in done.stdout.splitlines())
    assert values["threads"] == "3"
    assert values["limits.clients"] == "78"
    assert values["limits.pool_wait"] == "2min"
    assert values["limits.pull_bytes"] == "3MB"
    assert values["auth.admin_users"] == "a, b"
    assert values["listen.port"] == "6432"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[catalog]\ndsn = "x"\n[limits]\nclient = 1\n', ":4: setting limits.client"),
        ("[listen]\nport = 70000\n", ":2: setting listen.port"),
        ("[listen]\nport = true\n", ":2: setting listen.port"),
        ("[listen\n", ":1:"),
    ],
)
def test_an_error_in_the_file_names_line_and_key(tmp_path, text, place):
    file = tmp_path / "router.toml"
    file.write_text(text)
    done = shoal("serve", "--check", "-c", str(file))
    assert done.returncode == 1
    assert place in done.stderr


def test_the_template_is_a_valid_file_of_all_defaults(tmp_path):
    template = shoal("settings", "--template").stdout
    file = tmp_path / "router.toml"
    defaults = shoal("serve", "--check", "--set", "catalog.dsn=x").stdout
    # With every key uncommented the values are the same; the DSN has no default.
    lines = [line.removeprefix("# ") if " = " in line else line for line in template.splitlines()]
    file.write_text("\n".join(line for line in lines if not line.startswith("dsn =")) + "\n")
    done = shoal("serve", "--check", "-c", str(file), "--set", "catalog.dsn=x")
    assert done.returncode == 0, done.stderr
    assert done.stdout == defaults
    for entry in json.loads(shoal("settings", "--json").stdout):
        assert entry["setting"].rsplit(".", 1)[-1] in template


def test_refusals_are_listed_with_number_state_and_way_out():
    rows = json.loads(shoal("refusals", "--json").stdout)
    assert len(rows) == len({row["number"] for row in rows})
    assert all(row["message"] and row["hint"] and len(row["sqlstate"]) == 5 for row in rows)


def test_keys_check_counts_and_fails_on_a_wrong_vector(tmp_path):
    vectors = tmp_path / "vectors.jsonl"
    vectors.write_text("not json\n\n")
    done = shoal("keys", "check", str(vectors))
    assert done.stdout.splitlines()[-1] == "0 passed, 0 failed, 1 refused"
    assert shoal("keys", "check", str(tmp_path / "missing")).returncode == 1


def test_every_command_explains_itself():
    for command in ("serve", "dev up", "dev down", "init", "shard add", "table shard", "where",
                    "route", "keyspace create", "keys check", "adopt", "audit",
                    "keyspace show", "keyspace test", "shard tag", "refusals", "settings"):
        done = shoal(*command.split(), "--help")
        assert done.returncode == 0, command
        assert "Usage:" in done.stdout
    assert shoal("--version").stdout.startswith("shoal ")
    assert shoal("bogus").returncode != 0


def test_a_command_without_a_router_says_how_to_name_one(tmp_path):
    done = shoal("shard", "list", SHOAL_DIR=str(tmp_path / "none"), SHOAL_URL="")
    assert done.returncode == 1
    assert "shoal dev up" in done.stderr


def processes(cluster: Cluster) -> list[dict]:
    done = shoal("dev", "status", "--json", "--dir", str(cluster.directory))
    return json.loads(done.stdout)


def is_listening(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def test_a_development_cluster_is_made_once_found_again_stopped_and_removed():
    with Cluster(2) as cluster:
        first = processes(cluster)
        assert [p["name"] for p in first] == ["router", "s1", "s2"]
        assert all(p["state"] == "running" for p in first)
        folder = ["--dir", str(cluster.directory)]
        again = shoal("dev", "up", "--shards", "2", *folder, **PG_VARIABLES)
        assert again.returncode == 0, again.stderr
        assert processes(cluster) == first, "the second run must change nothing"

        other = shoal("dev", "up", "--shards", "3", *folder)
        assert other.returncode == 1 and "has 2 shards" in other.stderr
        url = shoal("dev", "url", "--shard", "s2", *folder).stdout.strip()
        with psycopg.connect(url) as shard:
            assert shard.execute("SHOW cluster_name").fetchone() == ("s2",)
        assert shoal("dev", "url", "--shard", "s9", *folder).returncode == 1

        assert shoal("dev", "down", *folder).returncode == 0
        stopped = shoal("dev", "status", "--json", *folder)
        assert stopped.returncode == 3
        assert {p["state"] for p in json.loads(stopped.stdout)} == {"stopped"}
        assert not any(is_listening(p["port"]) for p in first)
        assert shoal("dev", "up", *folder).returncode == 0
        assert [p["port"] for p in processes(cluster)] == [p["port"] for p in first]

        assert shoal("dev", "down", "--destroy", *folder).returncode == 0
        assert not pathlib.Path(cluster.directory).exists()
        assert shoal("dev", "down", *folder).returncode == 0, "down may be repeated"


def test_a_port_that_is_taken_is_an_error_that_leaves_nothing_running(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cluster = Cluster(1)
        port = str(taken.getsockname()[1])
        folder = ["--dir", str(cluster.directory)]
        try:
            done = shoal("dev", "up", "--shards", "1", "--port", port, *folder)
            assert done.returncode == 1
            assert f"port {port} of 127.0.0.1 is taken" in done.stderr
        finally:
            assert shoal("dev", "down", "--destroy", *folder).returncode == 0
            cluster.remove()


def admin(cluster: Cluster, command: str) -> list[tuple]:
    with socket.create_connection(("127.0.0.1", cluster.port)):
        pass
    done = subprocess.run(
        ["psql", "-XAtq", f"postgresql://app@127.0.0.1:{cluster.port}/shoal", "-c", command],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(line.split("|")) for line in done.stdout.splitlines()]


def test_reload_takes_over_what_may_change_and_http_shows_the_router():
    with Cluster(1) as cluster:
        config = pathlib.Path(cluster.directory) / "router.toml"
        text = config.read_text()
        http = re.search(r"\[http\][^\[]*port = (\d+)", text).group(1)

        def get(path: str) -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{http}{path}", timeout=10) as answer:
                return answer.read().decode()

        assert get("/healthz") == "ok\n"
        assert get("/readyz") == "ready\n"
        assert get("/metrics").endswith("# EOF\n")
        assert [row["name"] for row in json.loads(get("/api/databases"))] == ["s1"]

        config.write_text(text + "\n[limits]\nclients = 123\nserver_connections = 7\n")
        admin(cluster, "RELOAD")
        for _ in range(100):
            values = {row[0]: row[1] for row in admin(cluster, "SHOW CONFIG")}
            if values["limits.clients"] == "123":
                break
            time.sleep(0.05)
        assert values["limits.clients"] == "123"
        assert values["limits.server_connections"] == "60", "that one needs a restart"
