"""The recorded placements of every key function are computed by the program as by its library."""

import json
import pathlib
import re
import subprocess

import pytest
from support.cluster import binary

VECTORS = sorted((pathlib.Path(__file__).parent / "data").glob("key-vectors*"))


@pytest.mark.parametrize("path", VECTORS, ids=lambda p: p.name)
def test_every_recorded_placement_is_computed(path):
    done = subprocess.run(
        [binary(), "keys", "check", path], capture_output=True, text=True, timeout=120
    )
    found = re.search(r"(\d+) passed, (\d+) failed, (\d+) refused", done.stdout)
    assert done.returncode == 0 and found, done.stdout[-2000:] + done.stderr[-2000:]
    assert int(found.group(1)) > 0 and found.group(2) == "0"


def test_there_are_recorded_placements():
    assert VECTORS


def test_a_wrong_placement_is_found(tmp_path):
    """A slot that nobody computes: the check must be able to fail."""
    records = [json.loads(line) for line in VECTORS[0].read_text().splitlines()[:200]]
    for record in records:
        record["expected"] = (
            record["expected"] + 1 if isinstance(record["expected"], int) else "nowhere"
        )
    (tmp_path / "wrong.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    done = subprocess.run(
        [binary(), "keys", "check", tmp_path / "wrong.jsonl"], capture_output=True, text=True
    )
    found = re.search(r"(\d+) passed, (\d+) failed, (\d+) refused", done.stdout)
    assert found and int(found.group(2)) > 0 and done.returncode != 0
