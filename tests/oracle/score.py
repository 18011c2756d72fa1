#!/usr/bin/env python3
"""The score: every `.test` file and `--count` random statements on PostgreSQL and Shoal.

    tests/oracle/score.py [--count 2000] [--seed 1] [--shards 1,3,4] [--save FILE]

The last line is `equal=N refused=N different=N` over all statements and numbers of shards. Exit
status 1 when anything differs, or when more than 2 % of the queries are refused that no file
allows to be refused.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from oracle import generate, run  # noqa: E402
from oracle.pair import DIFFERENT, EQUAL, REFUSED  # noqa: E402
from oracle.worlds import worlds  # noqa: E402

MAX_REFUSED_SHARE = 0.02


def as_test(count: int, seed: int, shards: list[int]) -> tuple[int, int, int]:
    """Generated statements as tests of `make test`: one per statement; refused queries above the
    share are one failure."""
    with worlds(shards) as made:
        tallies = generate.run_all(made, count, seed)
    generate.show(tallies)
    different = sum(t.different for t in tallies)
    refused, reads = sum(t.refused_reads for t in tallies), sum(t.reads for t in tallies)
    too_many = reads == 0 or refused / reads > MAX_REFUSED_SHARE
    return sum(t.equal for t in tallies), different + too_many, sum(t.refused for t in tallies)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shards", default="1,3,4")
    parser.add_argument("--against", choices=("shoal", "postgres", "lossy"), default="shoal")
    parser.add_argument("--save", type=pathlib.Path, help="write the summary there too")
    options = parser.parse_args()
    shards = [int(n) for n in options.shards.split(",")]
    files = sorted(run.CASES.glob("*.test"))
    with worlds(shards, options.against) as made:
        results = run.run_in(made, files, ["text"])
        tallies = generate.run_all(made, options.count, options.seed)
    run.summarize(results)
    generate.show(tallies)

    count = {v: sum(r.verdict == v for r in results) for v in (EQUAL, REFUSED, DIFFERENT)}
    reads = [r for r in results if r.read]
    refused = sum(r.verdict == REFUSED and not r.accepted for r in reads) + sum(
        t.refused_reads for t in tallies
    )
    share = refused / max(1, len(reads) + sum(t.reads for t in tallies))
    lines = [
        f"files:     {count[EQUAL]} equal, {count[REFUSED]} refused, {count[DIFFERENT]} different",
        (
            f"generated: {sum(t.equal for t in tallies)} equal, {sum(t.refused for t in tallies)}"
            f" refused, {sum(t.different for t in tallies)} different (count {options.count}, seed"
            f" {options.seed})"
        ),
        f"queries refused without leave: {refused} ({share:.2%}, at most {MAX_REFUSED_SHARE:.0%})",
        (
            f"equal={count[EQUAL] + sum(t.equal for t in tallies)} "
            f"refused={count[REFUSED] + sum(t.refused for t in tallies)} "
            f"different={count[DIFFERENT] + sum(t.different for t in tallies)}"
        ),
    ]
    print("\n".join(lines))
    if options.save:
        options.save.write_text("\n".join(lines) + "\n")
    different = count[DIFFERENT] + sum(t.different for t in tallies)
    return 1 if different or share > MAX_REFUSED_SHARE else 0


if __name__ == "__main__":
    sys.exit(main())
