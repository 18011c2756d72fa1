"""Plain PostgreSQL servers of our own: temporary, on loopback, never an existing cluster.

PostgreSQL refuses to run as root, so root starts it as user postgres. A Server is stopped by the
process that started it; nothing is searched for by name.
"""

from __future__ import annotations

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

# A collation whose order is not byte order: a router that compares text bytewise must be found out.
ICU_LOCALE = "en-US"
BASE_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_prepared_transactions": "200",
    "max_connections": "200",
    "wal_level": "logical",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "64MB",
    "max_parallel_workers_per_gather": "0",
    "autovacuum": "off",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bin_dir(version: int | None = None) -> pathlib.Path:
    """The folder of initdb and postgres: SHOAL_PG_BINDIR, or the newest version of Debian."""
    if version is None and os.environ.get("SHOAL_PG_BINDIR"):
        return pathlib.Path(os.environ["SHOAL_PG_BINDIR"])
    root = pathlib.Path("/usr/lib/postgresql")
    found = sorted(
        (int(p.name), p / "bin") for p in root.glob("[0-9]*") if (p / "bin/initdb").exists()
    )
    for major, path in reversed(found):
        if version in (None, major):
            return path
    raise FileNotFoundError("no PostgreSQL server found; run make deps")


def as_server_user() -> dict:
    """Arguments of subprocess that make the child a user who may run PostgreSQL."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


def temporary_folder(prefix: str) -> pathlib.Path:
    """A new folder that user postgres can write to."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    return folder


class Server:
    """One PostgreSQL server with its data in a temporary folder."""

    def __init__(
        self, name: str = "pg", settings: dict | None = None, binaries=None, icu: bool = True
    ):
        self.name = name
        self.binaries = pathlib.Path(binaries) if binaries else bin_dir()
        self.folder = temporary_folder(f"shoal-{name}-")
        self.data = self.folder / "data"
        self.port = free_port()
        self.settings = {**BASE_SETTINGS, **(settings or {})}
        self.icu = icu
        self.process: subprocess.Popen | None = None
        self._environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        library = self.binaries.parent / "lib"
        if (library / "libpq.so.5").exists():
            self._environment["LD_LIBRARY_PATH"] = str(library)

    def __enter__(self) -> "Server":
        try:
            self.initdb()
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.remove()

    def initdb(self) -> None:
        command = [
            self.binaries / "initdb",
            "-D",
            self.data,
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-sync",
            "--locale=C.UTF-8",
        ]
        if self.icu:
            command += ["--locale-provider=icu", f"--icu-locale={ICU_LOCALE}"]
        done = subprocess.run(
            command, capture_output=True, text=True, env=self._environment, **as_server_user()
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr}")

    def start(self, timeout_s: float = 30) -> None:
        command = [self.binaries / "postgres", "-D", self.data, "-p", str(self.port)]
        for key, value in self.settings.items():
            command += ["-c", f"{key}={value}"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
                **as_server_user(),
            )
        pid_file = self.data / "postmaster.pid"
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if pid_file.read_text().splitlines()[7].strip() == "ready":
                    return
            except (OSError, IndexError):
                pass
            time.sleep(0.02)
        raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=20)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def dsn(self, dbname: str = "postgres", user: str = "postgres") -> str:
        return f"host=127.0.0.1 port={self.port} dbname={dbname} user={user}"

    def url(self, dbname: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{dbname}"
