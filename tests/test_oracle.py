"""The oracle can tell equal from different: PostgreSQL equals itself, and a side that loses rows
does not."""

import pathlib
import re
import subprocess
import sys

import pytest

ORACLE = pathlib.Path(__file__).with_name("oracle")
sys.path.insert(0, str(ORACLE.parent))

from oracle.pair import differ, is_ordered, is_read  # noqa: E402
from oracle.script import ScriptError, read  # noqa: E402
from oracle.sides import Outcome  # noqa: E402


def run(program: str, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, ORACLE / program, *options], capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def counts(text: str) -> dict[str, int]:
    found = re.findall(r"^equal=(\d+) refused=(\d+) different=(\d+)$", text, re.MULTILINE)
    assert found, text[-3000:]
    return dict(zip(("equal", "refused", "different"), map(int, found[-1])))


def test_postgres_equals_itself_in_every_file_and_mode():
    status, text = run("run.py", "--against", "postgres", "--shards", "1")
    assert status == 0, text[-3000:]
    assert counts(text)["different"] == 0 and counts(text)["equal"] > 3000


def test_postgres_equals_itself_on_generated_statements():
    status, text = run(
        "generate.py", "--against", "postgres", "--shards", "1", "--count", "300", "--seed", "7"
    )
    assert status == 0, text[-3000:]
    assert counts(text)["equal"] >= 300


def test_lost_rows_are_found_by_the_files():
    status, text = run("run.py", "--against", "lossy", "--shards", "1", "--modes", "text")
    assert status == 1 and counts(text)["different"] > 100


def test_lost_rows_are_found_by_generated_statements():
    status, text = run("generate.py", "--against", "lossy", "--shards", "1", "--count", "200")
    assert status == 1 and counts(text)["different"] > 20
    assert "smaller: SELECT" in text


def test_the_same_seed_gives_the_same_statements():
    first, second = (run("generate.py", "--show", "--count", "60", "--seed", "3") for _ in range(2))
    assert first == second and first != run("generate.py", "--show", "--count", "60", "--seed", "4")


@pytest.mark.parametrize(
    "change",
    [
        {"rows": [(b"2",), (b"1",)]},
        {"rows": [(b"1",)]},
        {"names": ["b"]},
        {"types": [(20, -1)]},
        {"types": [(23, 8)]},
        {"tag": "SELECT 3"},
        {"status": "INTRANS"},
        {"rows": [(b"1",), (None,)]},
        {"kind": "error", "sqlstate": "42601"},
    ],
)
def test_every_part_of_an_answer_is_compared(change):
    base = dict(
        kind="rows",
        names=["a"],
        types=[(23, -1)],
        rows=[(b"1",), (b"2",)],
        tag="SELECT 2",
        status="IDLE",
    )
    assert differ(Outcome(**base), Outcome(**base), True, False) == ""
    assert differ(Outcome(**base), Outcome(**{**base, **change}), True, False) != ""


def test_errors_are_compared_by_sqlstate():
    left, right = Outcome("error", sqlstate="22012"), Outcome("error", sqlstate="22003")
    assert differ(left, left, True, False) == "" and "SQLSTATE" in differ(left, right, True, False)


@pytest.mark.parametrize(
    "sql, ordered",
    [
        ("SELECT a FROM t ORDER BY a", True),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a) s", False),
        ("SELECT rank() OVER (ORDER BY a) FROM t", False),
        ("SELECT 'order by' FROM t", False),
        ("SELECT $$ order by $$ -- order by\n FROM t", False),
        ("(SELECT 1) UNION (SELECT 2) order  by 1", True),
        ('SELECT "order by" FROM t', False),
    ],
)
def test_order_is_the_outermost_querys(sql, ordered):
    assert is_ordered(sql) == ordered


@pytest.mark.parametrize(
    "sql, reads",
    [
        ("SELECT 1", True),
        ("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", False),
        ("(SELECT 1)", True),
        ("INSERT INTO t SELECT 1", False),
        ("SELECT nextval('s')", False),
        ("VALUES (1)", True),
    ],
)
def test_reads_are_told_from_writes(sql, reads):
    assert is_read(sql) == reads


def test_a_script_without_a_header_is_an_error(tmp_path):
    path = tmp_path / "bad.test"
    path.write_text("SELECT 1\n")
    with pytest.raises(ScriptError, match="bad.test:1"):
        read(path)


def test_a_wrong_claim_about_postgres_fails_the_file(tmp_path):
    path = tmp_path / "wrong.test"
    path.write_text("statement error 22012\nSELECT 1\n")
    status, text = run(
        "run.py", str(path), "--against", "postgres", "--shards", "1", "--modes", "simple"
    )
    assert status == 1 and "the script expects 22012" in text
