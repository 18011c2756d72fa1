#!/usr/bin/env python3
"""Side-by-side benchmarks: direct, a bare byte copier, PgBouncer and Shoal take turns in one run.

    bench/run.py [--quick] [--clients 32] [--only direct,copier,pgbouncer,shoal-1,shoal-4]
                 [--modes simple,extended,prepared] [--seconds N] [--rounds N] [--no-copy]

Absolute numbers mean nothing beyond one run on one machine; only ratios do. Prints JSON lines:
    bench                 select_only (pgbench, one row by primary key) or copy (rows per second)
    mode                  simple, extended, prepared: pgbench's protocol; copy
    via                   the way to the server; shoal-N is one router before N shards
    clients, tps          tps is the median over the rounds
    p50_ms, p99_ms        latencies of a sample of the transactions
    proxy_cpu_us_per_tx   user and system time of the proxy process over transactions
    tps_vs_pgbouncer, cpu_vs_pgbouncer, tps_vs_direct   ratios of medians
Transaction pooling for PgBouncer, session pooling for prepared (its 1.18 has no other way).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

import psycopg

PROJECT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests"))

from support.cluster import Cluster  # noqa: E402
from support.postgres import (
    Server,
    as_server_user,
    bin_dir,
    free_port,
    temporary_folder,
)  # noqa: E402

MODES = ("simple", "extended", "prepared")
VIAS = ("direct", "copier", "pgbouncer", "shoal-1", "shoal-4")
SCALE = 5
ROWS_PER_SCALE = 100_000
SCRIPT = (
    "\\set aid random(1, 100000 * :scale)\nSELECT abalance FROM pgbench_accounts WHERE aid ="
    " :aid;\n"
)
TABLES = [
    "CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88))",
    "CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84))",
    "CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84))",
]
PLACEMENT = [
    "SELECT create_reference_table('pgbench_branches')",
    "SELECT create_reference_table('pgbench_tellers')",
    "SELECT create_distributed_table('pgbench_accounts', 'aid')",
]
# One server with the settings of `shoal dev up`, so that both sides store alike.
SERVER_SETTINGS = {
    "max_connections": "300",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_wal_size": "512MB",
    "autovacuum": "on",
}


@dataclasses.dataclass
class Way:
    """How a benchmark reaches the data: an address and, if there is one, the proxy's process."""

    name: str
    port: dict[str, int]  # mode -> port
    pids: dict[str, int] = dataclasses.field(default_factory=dict)

    def dsn(self, mode: str = "simple") -> str:
        return f"host=127.0.0.1 port={self.port[mode]} dbname=app user=app"


def same_for_all(value: int) -> dict[str, int]:
    return {mode: value for mode in (*MODES, "copy")}


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_port(port: int, process: subprocess.Popen, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with status {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"{process.args[0]} does not listen on {port}")


@contextlib.contextmanager
def program(command: list, **options):
    process = subprocess.Popen(
        [str(c) for c in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **options,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def copier(server_port: int):
    port = free_port()
    with program([PROJECT / "build/release/copier", port, server_port]) as process:
        wait_for_port(port, process)
        yield Way("copier", same_for_all(port), same_for_all(process.pid))


@contextlib.contextmanager
def pgbouncer(server_port: int, clients: int):
    folder = temporary_folder("shoal-pgbouncer-")
    executable = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    ports, pids = {}, {}
    try:
        with contextlib.ExitStack() as stack:
            for pooling in ("transaction", "session"):
                ports[pooling] = free_port()
                (folder / f"{pooling}.ini").write_text(
                    f"[databases]\napp = host=127.0.0.1 port={server_port} dbname=app"
                    " user=app\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port ="
                    f" {ports[pooling]}\nunix_socket_dir =\nauth_type = any\npool_mode ="
                    f" {pooling}\ndefault_pool_size = {clients}\nmax_client_conn ="
                    " 1000\nlog_connections = 0\nlog_disconnections = 0\nignore_startup_parameters"
                    " = extra_float_digits,options\n"
                )
                process = stack.enter_context(
                    program([executable, "-q", folder / f"{pooling}.ini"], **as_server_user())
                )
                wait_for_port(ports[pooling], process)
                pids[pooling] = process.pid
            choose = {"prepared": "session"}
            yield Way(
                "pgbouncer",
                {m: ports[choose.get(m, "transaction")] for m in (*MODES, "copy")},
                {m: pids[choose.get(m, "transaction")] for m in (*MODES, "copy")},
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def shoal(shards: int):
    with Cluster(shards) as cluster:
        status = json.loads(cluster.status_json())
        processes = status["processes"] if isinstance(status, dict) else status
        pid = next(int(p["pid"]) for p in processes if p["name"] == "router")
        yield Way(f"shoal-{shards}", same_for_all(cluster.port), same_for_all(pid))


def fill(dsn: str, sharded: bool) -> None:
    """The tables of pgbench and their rows, the same everywhere."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in TABLES + (PLACEMENT if sharded else []):
            connection.execute(statement)
        with connection.cursor() as cursor:
            for table, count in (
                ("branches", SCALE),
                ("tellers", SCALE * 10),
                ("accounts", SCALE * ROWS_PER_SCALE),
            ):
                with cursor.copy(f"COPY pgbench_{table} FROM STDIN") as copy:
                    for first in range(1, count + 1, 10_000):
                        rows = range(first, min(first + 10_000, count + 1))
                        if table == "branches":
                            copy.write("".join(f"{i}\t0\t\\N\n" for i in rows))
                        else:
                            copy.write("".join(f"{i}\t{i % SCALE + 1}\t0\t\n" for i in rows))
        found = connection.execute("SELECT count(*), sum(aid) FROM pgbench_accounts").fetchone()
        count = SCALE * ROWS_PER_SCALE
        if found != (count, count * (count + 1) // 2):
            raise RuntimeError(f"{dsn}: the accounts are not all there: {found}")
        connection.execute("VACUUM ANALYZE pgbench_accounts")


@dataclasses.dataclass
class Run:
    tps: float
    p50_ms: float
    p99_ms: float
    cpu_us: float | None


def select_only(way: Way, mode: str, clients: int, seconds: int, folder: pathlib.Path) -> Run:
    for old in folder.glob("log.*"):
        old.unlink()
    command = [
        bin_dir() / "pgbench",
        "-n",
        "-M",
        mode,
        "-c",
        clients,
        "-j",
        2,
        "-T",
        seconds,
        "-f",
        folder / "select.sql",
        "-D",
        f"scale={SCALE}",
        "--log",
        "--log-prefix",
        folder / "log",
        "--sampling-rate=0.1",
        "-h",
        "127.0.0.1",
        "-p",
        way.port[mode],
        "-U",
        "app",
        "app",
    ]
    before = cpu_seconds(way.pids[mode]) if way.pids else 0.0
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    used = cpu_seconds(way.pids[mode]) - before if way.pids else None
    tps = re.search(r"tps = ([\d.]+) \(without", done.stdout)
    count = re.search(r"actually processed: (\d+)", done.stdout)
    failed = re.search(r"failed transactions: (\d+)", done.stdout)
    if done.returncode or not tps or (failed and failed.group(1) != "0"):
        raise RuntimeError(f"{way.name} {mode}: {done.stdout}{done.stderr}"[:2000])
    latencies = sorted(
        int(line.split()[2])
        for log in folder.glob("log.*")
        for line in log.read_text().splitlines()
    )
    at = lambda share: latencies[min(len(latencies) - 1, int(len(latencies) * share))] / 1000
    return Run(float(tps.group(1)), at(0.5), at(0.99), used and used * 1e6 / int(count.group(1)))


def median(runs: list[Run], field: str) -> float | None:
    values = [v for r in runs if (v := getattr(r, field)) is not None]
    return statistics.median(values) if values else None


def ratio(one: float | None, other: float | None) -> float | None:
    return round(one / other, 3) if one and other else None


def print_select_only(results: dict[tuple[str, str], list[Run]], clients: int) -> None:
    rounded = lambda value, digits: None if value is None else round(value, digits)
    for (mode, via), runs in results.items():
        tps, cpu = median(runs, "tps"), median(runs, "cpu_us")
        bouncer, direct = results.get((mode, "pgbouncer"), []), results.get((mode, "direct"), [])
        print(
            json.dumps(
                {
                    "bench": "select_only",
                    "mode": mode,
                    "via": via,
                    "clients": clients,
                    "tps": round(tps),
                    "p50_ms": rounded(median(runs, "p50_ms"), 3),
                    "p99_ms": rounded(median(runs, "p99_ms"), 3),
                    "proxy_cpu_us_per_tx": rounded(cpu, 2),
                    "tps_vs_pgbouncer": ratio(tps, median(bouncer, "tps")),
                    "cpu_vs_pgbouncer": ratio(cpu, median(bouncer, "cpu_us")),
                    "tps_vs_direct": ratio(tps, median(direct, "tps")),
                }
            ),
            flush=True,
        )


def copy_rows(way: Way, blocks: list[bytes], rows: int, sharded: bool) -> Run:
    with psycopg.connect(way.dsn("copy"), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS copied")
        connection.execute("CREATE TABLE copied (k int, id bigint, v text, PRIMARY KEY (k, id))")
        if sharded:
            connection.execute("SELECT create_distributed_table('copied', 'k')")
        before = cpu_seconds(way.pids["copy"]) if way.pids else 0.0
        started = time.monotonic()
        with connection.cursor() as cursor, cursor.copy("COPY copied FROM STDIN") as copy:
            for block in blocks:
                copy.write(block)
        seconds = time.monotonic() - started
        used = cpu_seconds(way.pids["copy"]) - before if way.pids else None
        found = connection.execute("SELECT count(*), sum(id) FROM copied").fetchone()
        if found != (rows, rows * (rows - 1) // 2):
            raise RuntimeError(f"{way.name}: the copied rows are not all there: {found}")
        connection.execute("DROP TABLE copied")
    return Run(rows / seconds, 0, 0, used and used * 1e6 / rows)


def bench_copy(ways: list[Way], rows: int, rounds: int) -> None:
    step = 20_000
    blocks = [
        "".join(
            f"{i * 7919 % 10007}\t{i}\tvalue number {i}\n"
            for i in range(first, min(first + step, rows))
        ).encode()
        for first in range(0, rows, step)
    ]
    results: dict[str, list[Run]] = {way.name: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            results[way.name].append(copy_rows(way, blocks, rows, way.name.startswith("shoal")))
    for via, runs in results.items():
        cpu = median(runs, "cpu_us")
        print(
            json.dumps(
                {
                    "bench": "copy",
                    "mode": "copy",
                    "via": via,
                    "clients": 1,
                    "tps": round(median(runs, "tps")),
                    "p50_ms": None,
                    "p99_ms": None,
                    "proxy_cpu_us_per_tx": None if cpu is None else round(cpu, 3),
                    "rows": rows,
                    "tps_vs_direct": ratio(
                        median(runs, "tps"), median(results.get("direct", []), "tps")
                    ),
                }
            ),
            flush=True,
        )


def start_ways(stack: contextlib.ExitStack, names: list[str], clients: int) -> list[Way]:
    settings = {**SERVER_SETTINGS, "max_connections": str(max(300, 4 * clients + 50))}
    server = stack.enter_context(Server("bench", settings))
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute("CREATE ROLE app LOGIN")
        admin.execute("CREATE DATABASE app OWNER app")
    fill(server.dsn("app", "app"), sharded=False)
    makers = {
        "direct": lambda: Way("direct", same_for_all(server.port)),
        "copier": lambda: stack.enter_context(copier(server.port)),
        "pgbouncer": lambda: stack.enter_context(pgbouncer(server.port, clients)),
        "shoal-1": lambda: stack.enter_context(shoal(1)),
        "shoal-4": lambda: stack.enter_context(shoal(4)),
    }
    ways = []
    for name in names:
        print(f"starting {name}", file=sys.stderr)
        ways.append(makers[name]())
        if name.startswith("shoal"):
            fill(ways[-1].dsn(), sharded=True)
    return ways


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round, for a first impression"
    )
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=int, help="of one run (5; quick: 2)")
    parser.add_argument("--rounds", type=int, help="turns of every way (5; quick: 1)")
    parser.add_argument("--only", default=",".join(VIAS))
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--no-copy", action="store_true")
    options = parser.parse_args()
    seconds = options.seconds or (2 if options.quick else 5)
    rounds = options.rounds or (1 if options.quick else 5)
    names, modes = options.only.split(","), [m for m in options.modes.split(",") if m]
    folder = temporary_folder("shoal-bench-")
    (folder / "select.sql").write_text(SCRIPT)
    try:
        with contextlib.ExitStack() as stack:
            ways = start_ways(stack, names, options.clients)
            results = {(mode, way.name): [] for mode in modes for way in ways}
            for turn in range(rounds):
                for mode in modes:
                    # Another one begins each turn, so that no way always comes first.
                    for way in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
                        run = select_only(way, mode, options.clients, seconds, folder)
                        results[mode, way.name].append(run)
                        print(
                            f"turn {turn + 1} {mode} {way.name}: {run.tps:.0f} tps", file=sys.stderr
                        )
            print_select_only(results, options.clients)
            if not options.no_copy:
                chosen = [w for w in ways if w.name in ("direct", "shoal-4")]
                bench_copy(
                    chosen, 200_000 if options.quick else 2_000_000, 1 if options.quick else 3
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
