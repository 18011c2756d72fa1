"""Clients of other languages, each a small program in tests/clients: node-postgres, pgjdbc,
libpqxx, pgx, tokio-postgres. They run in `make test-all`, whose `make deps-all` installs their
toolchains."""

import os
import pathlib
import shutil
import subprocess

import pytest

CLIENTS = pathlib.Path(__file__).with_name("clients")
DEPS = pathlib.Path(__file__).resolve().parents[1] / "build/deps"
pytestmark = pytest.mark.slow


def run(command: list, target, cwd: pathlib.Path, **environment: str) -> None:
    host, port = target.url.split("@")[1].split("/")[0].split(":")
    done = subprocess.run(
        [*map(str, command), host, port],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0 and done.stdout.endswith("done\n"), (
        done.stdout[-2000:] + done.stderr[-3000:]
    )


def need(*programs: str, path: str | None = None) -> None:
    for name in programs:
        assert shutil.which(name), f"{name} is missing; run make deps-all"
    assert path is None or pathlib.Path(path).exists(), f"{path} is missing; run make deps-all"


def test_node_postgres(target, tmp_path):
    modules = DEPS / "node/node_modules"
    need("node", path=modules)
    run(["node", CLIENTS / "node.js"], target, tmp_path, NODE_PATH=str(modules))


def test_pgjdbc(target, tmp_path):
    jar = "/usr/share/java/postgresql.jar"
    need("javac", "java", path=jar)
    run(["java", "-cp", jar, CLIENTS / "Pgjdbc.java"], target, tmp_path)


def test_libpqxx(target, tmp_path):
    need("g++", path="/usr/include/pqxx/pqxx")
    program = tmp_path / "pqxx"
    subprocess.run(
        ["g++", "-std=c++17", CLIENTS / "pqxx.cc", "-o", program, "-lpqxx", "-lpq"], check=True
    )
    run([program], target, tmp_path)


def test_pgx(target, tmp_path):
    sources = "/usr/share/gocode/src/github.com/jackc/pgx"
    need("go", path=sources)
    run(
        ["go", "run", CLIENTS / "pgx.go"],
        target,
        tmp_path,
        GO111MODULE="off",
        GOPATH="/usr/share/gocode",
        GOFLAGS="",
        GOCACHE=str(tmp_path / "cache"),
    )


def test_tokio_postgres(target, tmp_path):
    crates = "/usr/share/cargo/registry"
    need("cargo", path=crates)
    shutil.copytree(CLIENTS / "tokio", tmp_path / "tokio")
    (tmp_path / "tokio/.cargo").mkdir()
    (tmp_path / "tokio/.cargo/config.toml").write_text(
        f'[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "{crates}"\n'
    )
    subprocess.run(["cargo", "build", "--quiet", "--offline"], cwd=tmp_path / "tokio", check=True)
    run([tmp_path / "tokio/target/debug/tokio-client"], target, tmp_path)
