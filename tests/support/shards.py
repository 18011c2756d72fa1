"""Databases that an application shards by hand, on one server of our own, and a router over them
once they are adopted."""

from __future__ import annotations

import json
import subprocess
import time

import psycopg

from .cluster import binary
from .postgres import Server, free_port


class Shards:
    """Some databases of one server, without anything of Shoal's."""

    def __init__(self, server: Server, names: list[str]):
        self.server = server
        self.names = names
        self.router: subprocess.Popen | None = None
        self.port = 0
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as c:
            for name in names:
                c.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                c.execute(f'CREATE DATABASE "{name}"')

    def dsn(self, name: str) -> str:
        return f"host=127.0.0.1 port={self.server.port} dbname={name} user=postgres"

    def run(self, name: str, sql: str, *parameters) -> list[tuple]:
        with psycopg.connect(self.dsn(name), autocommit=True) as c:
            cursor = c.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description is not None else []

    def everywhere(self, sql: str) -> None:
        for name in self.names:
            self.run(name, sql)

    def copy(self, name: str, table: str, rows: list[tuple]) -> None:
        with psycopg.connect(self.dsn(name), autocommit=True) as c, c.cursor() as cursor:
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

    def shard_options(self) -> list[str]:
        return [word for n in self.names for word in ("--shard", f"{n}={self.dsn(n)}")]

    def shoal(self, *arguments: str, status: int | None = 0) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [str(binary()), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        if status is not None:
            assert done.returncode == status, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def adopt(self, *options: str, status: int | None = 0) -> dict:
        done = self.shoal("adopt", *self.shard_options(), "--json", *options, status=status)
        return json.loads(done.stdout) if done.stdout else {"error": done.stderr}

    def audit(self, *options: str, status: int | None = 0) -> dict:
        done = self.shoal(
            "audit", "--catalog", self.dsn(self.names[0]), "--json", *options, status=status
        )
        return json.loads(done.stdout.splitlines()[-1])

    def serve(self) -> str:
        """Starts a router; gives its URL."""
        self.port = free_port()
        settings = {
            "catalog.dsn": self.dsn(self.names[0]),
            "listen.port": self.port,
            "http.port": 0,
            "auth.method": "trust",
            "threads": 1,
        }
        command = [str(binary()), "serve"]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        log = open(self.server.folder / "router.log", "ab")
        self.router = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        url = f"host=127.0.0.1 port={self.port} dbname={self.names[0]} user=postgres"
        for _ in range(200):
            try:
                psycopg.connect(url, connect_timeout=2).close()
                return url
            except psycopg.OperationalError:
                assert self.router.poll() is None, (self.server.folder / "router.log").read_text()
                time.sleep(0.05)
        raise AssertionError("the router does not answer")

    def stop(self) -> None:
        if self.router:
            self.router.kill()
            self.router.wait(timeout=30)
            self.router = None
        # The lease of a killed router would otherwise last for some seconds.
        self.run(self.names[0], "UPDATE shoal.router SET state = 'gone'")
