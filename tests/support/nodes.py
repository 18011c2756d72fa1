"""Nodes of examples/link-shortener-cpp: a database each, all in one server of our own."""

from __future__ import annotations

import pathlib
import subprocess

import psycopg

from .cluster import PROJECT, binary
from .postgres import Server
from .service import Service

NODES = ["5432", "5433", "5434"]
EXAMPLE = PROJECT / "examples/link-shortener-cpp"


def program() -> pathlib.Path:
    return binary().parent / "examples/link-shortener-cpp/link-shortener"


class Nodes:
    """`addresses` of all nodes by name, and the file that says which of them there are."""

    def __init__(self, server: Server, names: list[str]):
        self.server = server
        self.addresses = {name: server.dsn(f"node{name}") for name in names}
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            for name in names:
                connection.execute(f"DROP DATABASE IF EXISTS node{name} WITH (FORCE)")
                connection.execute(f"CREATE DATABASE node{name}")
        for address in self.addresses.values():
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute((EXAMPLE / "schema.sql").read_text())
        self.file = server.folder / "nodes.conf"
        self.write(NODES)

    def write(self, members: list[str], joining: str | None = None) -> None:
        lines = ["# made by a test"] + [f"{name} {self.addresses[name]}" for name in members]
        lines += [f"joining {joining} {self.addresses[joining]}"] if joining else []
        self.file.write_text("\n".join(lines) + "\n")

    def service(self) -> Service:
        return Service([str(program()), str(self.file), "serve", "{port}"], EXAMPLE)

    def command(self, *words: str) -> tuple[int, list[str]]:
        """Exit status and lines of a command of the program."""
        done = subprocess.run(
            [program(), self.file, *words], capture_output=True, text=True, timeout=60
        )
        return done.returncode, (done.stdout + done.stderr).splitlines()
