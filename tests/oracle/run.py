#!/usr/bin/env python3
"""Runs `.test` files on plain PostgreSQL and through Shoal and compares every answer.

    tests/oracle/run.py [FILES...] [--shards 1,3,4] [--modes simple,text,binary]
    tests/oracle/run.py --against postgres     the oracle checks itself: nothing may differ
    tests/oracle/run.py --against lossy        positive control: differences must be found

A file passes in a mode and on a number of shards when every record is equal, or refused where the
file says that it may be. The last line is `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import pathlib
import re
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from oracle.pair import DIFFERENT, EQUAL, PLACEMENT, REFUSED, Judged, Pair, is_read  # noqa: E402
from oracle.script import Record, read  # noqa: E402
from oracle.worlds import World, clean_pair, worlds  # noqa: E402

CASES = pathlib.Path(__file__).with_name("cases")
MODES = ("simple", "text", "binary")


@dataclasses.dataclass
class Result:
    """The verdict on one record in one mode on one number of shards."""

    file: str
    line: int
    name: str
    mode: str
    shards: int
    sql: str
    verdict: str
    accepted: bool
    read: bool
    why: str = ""
    postgres: str = ""
    shoal: str = ""
    refusal: str = ""

    def report(self) -> str:
        head = f"{self.file}:{self.line} [{self.mode}, {self.shards} shards] {self.verdict.upper()}"
        name = f" -- {self.name}" if self.name else ""
        text = f"{head}{name}: {self.why}\n  {self.sql.strip()}"
        if self.verdict != EQUAL or not self.accepted:
            text += f"\n    PostgreSQL: {self.postgres}\n    Shoal:      {self.shoal}"
        return text


def run_record(
    pair: Pair, record: Record, mode: str, world: World, diverged: bool = False
) -> Result | None:
    """Runs one record; None when it is skipped. After a statement that was not equal, PostgreSQL
    lacks its effect too (`diverged`), and what the script says about PostgreSQL no longer holds."""
    if mode in record.skip or (record.only_shards and record.only_shards != world.shards):
        return None
    result = Result(
        record.file,
        record.line,
        record.name,
        mode,
        world.shards,
        record.sql,
        EQUAL,
        True,
        is_read(record.sql) and not PLACEMENT.match(record.sql),
    )
    if "shoal" in record.skip:
        pair.postgres.simple(record.sql, record.copy_data)
        return None
    if record.kind == "expect":
        return _expect(pair, record, result, world)
    if record.simple:
        mode = "simple"
    elif record.parameters is not None and mode == "simple":
        mode = "text"
    judged = pair.judge(record.sql, mode, record.parameters, record.copy_data, record.ordered)
    result.verdict, result.why, result.refusal = judged.verdict, judged.why, judged.refusal
    result.postgres, result.shoal = judged.postgres, judged.shoal
    result.accepted = _accepted(record, judged)
    broken = _broken_script(record, judged)
    if broken and not diverged:
        result.accepted, result.why = False, broken
    elif record.route and world.against == "shoal" and judged.verdict == EQUAL:
        _check_route(pair, record, result, world)
    return result


def _accepted(record: Record, judged: Judged) -> bool:
    if judged.verdict == REFUSED:
        return record.may_refuse is not None and record.may_refuse in ("", judged.refusal)
    return judged.verdict == EQUAL


def _broken_script(record: Record, judged: Judged) -> str:
    """What the file claims about PostgreSQL itself must be true."""
    if judged.verdict != EQUAL:
        return ""
    failed = re.search(r"\berror (\w{5}):", judged.postgres)
    if record.sqlstate:
        if not failed:
            return f"PostgreSQL gave no error, the script expects {record.sqlstate}"
        if record.sqlstate not in ("any", failed.group(1)):
            return f"PostgreSQL gave {failed.group(1)}, the script expects {record.sqlstate}"
    elif failed and judged.postgres.startswith("error"):
        return f"PostgreSQL gave an error that the script does not expect: {judged.postgres}"
    return ""


def _expect(pair: Pair, record: Record, result: Result, world: World) -> Result | None:
    if world.against != "shoal":
        return None
    answer = pair.shoal.simple(record.sql)[-1]
    wanted = record.sqlstate
    if wanted not in (answer.sqlstate, answer.refusal):
        result.verdict, result.accepted = DIFFERENT, False
        result.why, result.shoal = f"expected {wanted}", answer.brief()
    if pair.shoal.status == "INERROR":
        pair.shoal.simple("ROLLBACK")
        pair.postgres.simple("ROLLBACK")
    return result


def route_shards(lines: list[str]) -> int:
    """How many shards a route names; 0 when it names none."""
    if not lines:
        return 0
    if lines[0].startswith("route: one shard"):
        return 1
    if found := re.match(r"route: (\d+) shards", lines[0]):
        return int(found.group(1))
    named = [
        m.group(1) for line in lines if (m := re.match(r"(?:shards:|pull \S+ from) ([^:]*)", line))
    ]
    return len({name.strip() for part in named for name in part.split(",") if name.strip()})


def _check_route(pair: Pair, record: Record, result: Result, world: World) -> None:
    answer = pair.shoal.simple(f"EXPLAIN (ROUTE) {record.sql}")[-1]
    lines = [(row[0] or b"").decode() for row in answer.rows] if answer.kind == "rows" else []
    wanted = world.shards if record.route["shards"] == "all" else int(record.route["shards"])
    reason = record.route.get("reason", "")
    if route_shards(lines) != min(wanted, world.shards):
        result.accepted, result.why = False, f"route: expected shards={min(wanted, world.shards)}"
    elif not any(reason in line for line in lines):
        result.accepted, result.why = False, f"route: expected the reason {reason!r}"
    if not result.accepted:
        result.shoal = "\n      ".join(lines) or answer.brief()


def run_file(world: World, path: pathlib.Path, mode: str) -> list[Result]:
    pair = world.connect()
    for error in clean_pair(pair):
        return [
            Result(
                path.name,
                0,
                "",
                mode,
                world.shards,
                "(empty the database)",
                DIFFERENT,
                False,
                False,
                error,
            )
        ]
    pair.postgres.connect()
    pair.shoal.connect()
    results: list[Result] = []
    for record in read(path):
        diverged = any(r.verdict != EQUAL for r in results)
        if result := run_record(pair, record, mode, world, diverged):
            results.append(result)
    for result in results:
        if result.file != path.name:  # an included record counts for the file that includes it
            result.name, result.file = f"{result.file}:{result.line} {result.name}", path.name
    pair.postgres.close()
    pair.shoal.close()
    return results


def run_world(world: World, files: list[pathlib.Path], modes: list[str]) -> list[Result]:
    results = []
    for path in files:
        for mode in modes:
            try:
                results += run_file(world, path, mode)
            except Exception:
                results.append(
                    Result(
                        path.name,
                        0,
                        "",
                        mode,
                        world.shards,
                        "(the runner failed)",
                        DIFFERENT,
                        False,
                        False,
                        traceback.format_exc(limit=4),
                    )
                )
    return results


def run_in(made: list[World], files: list[pathlib.Path], modes: list[str]) -> list[Result]:
    with concurrent.futures.ProcessPoolExecutor(len(made)) as pool:
        jobs = [pool.submit(run_world, world, files, modes) for world in made]
        return [result for job in jobs for result in job.result()]


def run_all(files, shards, modes, against="shoal") -> list[Result]:
    with worlds(shards, against) as made:
        return run_in(made, files, modes)


def summarize(results: list[Result], verbose: bool = True) -> tuple[int, int]:
    """Prints what was not accepted; returns the numbers of passed and failed (file, mode,
    shards)."""
    groups: dict[tuple, bool] = {}
    shown: set[tuple] = set()
    for result in results:
        key = (result.file, result.mode, result.shards)
        groups[key] = groups.get(key, True) and result.accepted
        if not result.accepted and verbose:
            same = (result.file, result.line, result.verdict)
            if same not in shown:
                print(result.report())
            shown.add(same)
    passed = sum(groups.values())
    return passed, len(groups) - passed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("--shards", default="1,3,4")
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--against", choices=("shoal", "postgres", "lossy"), default="shoal")
    parser.add_argument(
        "--json", type=pathlib.Path, help="write every result there, one JSON object a line"
    )
    options = parser.parse_args()
    files = options.files or sorted(CASES.glob("*.test"))
    shards = [int(n) for n in options.shards.split(",")]
    results = run_all(files, shards, options.modes.split(","), options.against)
    passed, failed = summarize(results)
    if options.json:
        options.json.write_text("".join(json.dumps(dataclasses.asdict(r)) + "\n" for r in results))
    count = {v: sum(r.verdict == v for r in results) for v in (EQUAL, REFUSED, DIFFERENT)}
    print(f"equal={count[EQUAL]} refused={count[REFUSED]} different={count[DIFFERENT]}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
