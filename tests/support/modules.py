"""Modules of an example, imported as its own programs import them."""

from __future__ import annotations

import importlib
import os
import pathlib
import sys
import types


def load(folder: pathlib.Path, *names: str, **environment: str) -> list[types.ModuleType]:
    """The modules by their plain names. They are forgotten again, for other examples have modules
    of the same names."""
    kept = dict(os.environ)
    os.environ.update(environment)
    sys.path.insert(0, str(folder))
    try:
        return [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(folder))
        os.environ.clear()
        os.environ.update(kept)
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and pathlib.Path(file).parent == folder:
                del sys.modules[name]
