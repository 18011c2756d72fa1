"""A program that answers HTTP on a free port, started and stopped as its user would."""

from __future__ import annotations

import os
import pathlib
import subprocess
import tempfile
import time

import httpx

from .postgres import free_port


class Service:
    """`command` may contain {port}. Talk to it through `http`; `log()` is what it printed."""

    def __init__(self, command: list[str], folder: pathlib.Path, **environment: str):
        self.port = free_port()
        self.command = [str(word).format(port=self.port) for word in command]
        self.folder = folder
        self.environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
        self.environment["PORT"] = str(self.port)
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Service":
        self.output = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            env=self.environment,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        self.http = httpx.Client(base_url=self.url, timeout=30)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.http.close()
        self.stop()
        self.output.close()

    def stop(self) -> int:
        """Asks it to end and waits; the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def log(self) -> str:
        self.output.seek(0)
        return self.output.read()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.http.get("/")
                return
            except httpx.TransportError:
                time.sleep(0.05)
        raise RuntimeError(f"{' '.join(self.command)} does not answer:\n{self.log()}")
