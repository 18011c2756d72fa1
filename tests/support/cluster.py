"""A development cluster of our own: `shoal dev up` in a temporary folder on a free port."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import time

from .postgres import ICU_LOCALE, bin_dir, free_port, temporary_folder

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def binary() -> pathlib.Path:
    return pathlib.Path(os.environ.get("SHOAL_BINARY", PROJECT / "build/release/shoal"))


def available() -> bool:
    """Whether the router was built and knows how to start a cluster."""
    if not binary().exists():
        return False
    asked = subprocess.run([binary(), "dev", "up", "--help"], capture_output=True, timeout=20)
    return asked.returncode == 0


def icu_binaries(folder: pathlib.Path) -> pathlib.Path:
    """PostgreSQL's programs with an initdb that chooses a collation whose order is not byte
    order."""
    real = bin_dir()
    folder.mkdir()
    for program in real.iterdir():
        if program.name != "initdb":
            (folder / program.name).symlink_to(program)
    library = real.parent / "lib"
    preload = f"LD_LIBRARY_PATH={library} " if (library / "libpq.so.5").exists() else ""
    options = f"--locale-provider=icu --icu-locale={ICU_LOCALE}"
    (folder / "initdb").write_text(f'#!/bin/sh\n{preload}exec {real}/initdb "$@" {options}\n')
    (folder / "initdb").chmod(0o755)
    return folder


class Cluster:
    """N shards and one router; stopped and removed by whoever made it."""

    def __init__(self, shards: int, extra: list[str] | None = None):
        self.shards = shards
        self.folder = temporary_folder(f"shoal-dev{shards}-")
        self.directory = self.folder / "cluster"
        self.port = free_port()
        self.extra = extra or []

    def __enter__(self) -> "Cluster":
        try:
            self.up()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.remove()

    def command(self, *arguments: str) -> list[str]:
        return [str(binary()), "dev", *arguments, "--dir", str(self.directory)]

    def _run(self, *arguments: str, timeout_s: float = 120) -> str:
        command = self.command(*arguments)
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}{self.logs()}"
            )
        return done.stdout.strip()

    def up(self) -> None:
        binaries = self.folder / "bin"
        if not binaries.exists():
            icu_binaries(binaries)
        self._run(
            "up",
            "--shards",
            str(self.shards),
            "--port",
            str(self.port),
            "--no-fsync",
            "--pg-bin",
            str(binaries),
            *self.extra,
        )

    def down(self, destroy: bool = False) -> None:
        self._run("down", *(["--destroy"] if destroy else []))

    def url(self, shard: str | None = None) -> str:
        return self._run("url", *(["--shard", shard] if shard else []))

    def status_json(self) -> str:
        return self._run("status", "--json")

    def logs(self) -> str:
        """The end of every log of the cluster, for the report of a failure."""
        text = ""
        for log in sorted(self.directory.rglob("*log*")) if self.directory.exists() else []:
            if log.is_file():
                text += f"\n--- {log.name}\n" + log.read_text(errors="replace")[-1500:]
        return text

    def remove(self) -> None:
        if self.directory.exists() and binary().exists():
            try:
                self.down(destroy=True)
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                print(f"cluster in {self.directory} was not stopped: {error}")
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def router(cluster: Cluster, *settings: str):
    """Another router on the cluster's catalog with other settings: its port."""
    port = free_port()
    command = [binary(), "serve", "--config", cluster.directory / "router.toml"]
    for setting in (f"listen.port={port}", "http.port=0", *settings):
        command += ["--set", setting]
    log_file = cluster.folder / f"router{port}.log"
    with open(log_file, "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 20
        while "router.started" not in log_file.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log_file.read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(20)
