"""The Python package as its users get it: installed into a folder of build/python, which is made
again when a source has changed since."""

from __future__ import annotations

import hashlib
import pathlib
import subprocess
import sys

import pytest

from .cluster import PROJECT

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
