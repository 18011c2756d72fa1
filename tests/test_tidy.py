"""tools/tidy finds each violation that it names, and passes a tree without any."""

import pathlib
import subprocess
import sys

import pytest

PROJECT = pathlib.Path(__file__).resolve().parents[1]
ROOMS = """# rooms
shoal_room(base PURE)
shoal_room(wire PURE ROOMS base LIBS x)
shoal_room(io ROOMS base)
shoal_room(session ROOMS io wire base)
shoal_room(control ROOMS io base)
"""
GOOD = {
    "src/base/a.h": "// Purpose.\n#pragma once\n#include <string>\n",
    "src/wire/b.h": '// Purpose.\n#pragma once\n#include "base/a.h"\n',
    "src/io/c.cc": "// Purpose.\n#include <thread>\n",
    "src/session/d.cc": '// Purpose.\n#include "wire/b.h"\n',
}
UNFINISHED = "TO" + "DO"
BAD = {
    "include-direction": (
        {"src/base/a.h": '// P.\n#pragma once\n#include "wire/b.h"\n'},
        "src/base/a.h:3",
    ),
    "session_includes_control": (
        {
            "src/control/e.h": "// P.\n#pragma once\n",
            "src/session/d.cc": '// P.\n#include "control/e.h"\n',
        },
        "src/session/d.cc:2",
    ),
    "include-cycle": (
        {
            "src/wire/b.h": '// P.\n#pragma once\n#include "wire/c.h"\n',
            "src/wire/c.h": '// P.\n#pragma once\n#include "wire/b.h"\n',
        },
        "src/wire/c.h:3",
    ),
    "pure-room": (
        {"src/wire/b.h": "// P.\n#pragma once\n#include <boost/asio.hpp>\n"},
        "src/wire/b.h:3",
    ),
    "pure_room_reads_clock": (
        {"src/wire/b.cc": "// P.\nauto t = std::chrono::steady_clock::now();\n"},
        "src/wire/b.cc:2",
    ),
    "rooms-order": (
        {"tools/rooms.cmake": ROOMS.replace("base PURE", "base PURE ROOMS wire")},
        "tools/rooms.cmake:2",
    ),
    "pragma-once": ({"src/base/a.h": "// P.\n#include <string>\n"}, "src/base/a.h:1"),
    "first-line": ({"src/base/a.cc": "int a;\n"}, "src/base/a.cc:1"),
    "line-length": ({"src/base/a.cc": "// P.\n//" + 99 * "x" + "\n"}, "src/base/a.cc:2"),
    "file-length": ({"src/base/a.cc": "// P.\n" + 800 * "int;\n"}, "src/base/a.cc:801"),
    "unfinished": ({"src/base/a.cc": f"// P.\n// {UNFINISHED} later\n"}, "src/base/a.cc:2"),
    "machine-path": ({"docs/a.md": "see /" + "root/x\n"}, "docs/a.md:1"),
    "header-alone": ({"src/base/a.h": "// P.\n#pragma once\nstd::string s();\n"}, "src/base/a.h:1"),
    "format": ({"src/base/a.cc": "// P.\nint  a ;\n"}, "src/base/a.cc:2"),
}
NAMED = {"session_includes_control": "include-direction", "pure_room_reads_clock": "pure-room"}


def tidy(root: pathlib.Path, files: dict[str, str], *options: str) -> subprocess.CompletedProcess:
    for name, text in {"tools/rooms.cmake": ROOMS, **GOOD, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    command = [sys.executable, PROJECT / "tools/tidy", "--root", root, *options]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_clean_tree_passes(tmp_path):
    done = tidy(tmp_path, {}, "--headers", "--format")
    assert done.returncode == 0, done.stdout
    assert "0 errors" in done.stdout


@pytest.mark.parametrize("name", BAD)
def test_a_bad_tree_is_named_with_file_and_line(tmp_path, name):
    files, place = BAD[name]
    options = {"header-alone": ["--headers"], "format": ["--format"]}.get(name, [])
    done = tidy(tmp_path, files, *options)
    assert done.returncode == 1
    assert f"{place}: {NAMED.get(name, name)}: " in done.stdout, done.stdout


def test_a_tree_without_sources_is_an_error(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/rooms.cmake").write_text("")
    command = [sys.executable, PROJECT / "tools/tidy", "--root", tmp_path]
    assert subprocess.run(command, capture_output=True).returncode == 2
