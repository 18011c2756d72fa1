"""Tests run against the package as it is installed: built here into build/python when the
interpreter has none, and again when a source has changed since."""

from __future__ import annotations

import hashlib
import pathlib
import subprocess
import sys

import pytest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = [
    "python/shoal",
    "python/src",
    "python/CMakeLists.txt",
    "python/pyproject.toml",
    "src/keys",
    "src/client",
    "src/base",
]


def fingerprint() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for source in SOURCES:
        path = PROJECT / source
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts and "_test.cc" not in file.name:
                digest.update(str(file.relative_to(PROJECT)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def build_package() -> pathlib.Path:
    target = PROJECT / "build/python" / fingerprint()
    if not (target / "shoal").exists():
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--disable-pip-version-check",
            "--target",
            str(target),
            str(PROJECT / "python"),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.exit(
                f"the package does not build (it needs python3-dev and PyPI):\n"
                f"{done.stdout[-4000:]}{done.stderr[-4000:]}",
                returncode=1,
            )
    return target


sys.path.insert(0, str(build_package()))
sys.path.insert(0, str(PROJECT / "tests"))

TENANTS = {1: 3, 2: 2, 3: 1}  # rows of each tenant


@pytest.fixture(scope="session")
def cluster():
    """Two shards behind a router, with a sharded table `notes`."""
    import psycopg
    from support.cluster import Cluster

    with Cluster(2) as made:
        with psycopg.connect(made.url(), autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE notes (tenant_id int, id bigserial, words text NOT NULL,"
                " PRIMARY KEY (tenant_id, id))"
            )
            connection.execute("SELECT create_distributed_table('notes', 'tenant_id')")
        yield made


@pytest.fixture
def notes(cluster):
    """The URL of the router; `notes` holds the rows of TENANTS."""
    import psycopg

    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("TRUNCATE notes")
        for tenant, count in TENANTS.items():
            for i in range(count):
                connection.execute(
                    "INSERT INTO notes (tenant_id, words) VALUES (%s, %s)", (tenant, f"note {i}")
                )
    return cluster.url()
