#!/usr/bin/env python3
"""Random statements on plain PostgreSQL and through Shoal, compared; the same seed, the same
statements.

    tests/oracle/generate.py [--count 2000] [--seed 1] [--shards 1,3,4]
    tests/oracle/generate.py --show            prints the statements and runs nothing
    tests/oracle/generate.py --against lossy   positive control: differences must be found

A SELECT that differs is made smaller, part by part, as long as it differs. The last line is
`equal=N refused=N different=N`, over all statements and numbers of shards.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from oracle.grammar import Grammar, Select, other_values, render, render_typed  # noqa: E402
from oracle.pair import DIFFERENT, EQUAL, REFUSED, Judged, Pair  # noqa: E402
from oracle.rules_writes import RulesWrites
from oracle.shapes import objects  # noqa: E402
from oracle.worlds import World, clean_pair, worlds  # noqa: E402

MAX_REPORTS = 25


@dataclasses.dataclass
class Statement:
    """What to run; `tree` is there when it is a query that can be made smaller."""

    sql: str
    mode: str
    parameters: list | None = None
    tree: Select | None = None
    read: bool = True


@dataclasses.dataclass
class Tally:
    """What one world answered."""

    shards: int
    equal: int = 0
    refused: int = 0
    different: int = 0
    reads: int = 0
    refused_reads: int = 0
    reasons: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    reports: list[str] = dataclasses.field(default_factory=list)
    refused_examples: dict[str, str] = dataclasses.field(default_factory=dict)

    def count(self, statement: Statement, judged: Judged) -> None:
        self.equal += judged.verdict == EQUAL
        self.refused += judged.verdict == REFUSED
        self.different += judged.verdict == DIFFERENT
        self.reads += statement.read
        if judged.verdict == REFUSED:
            self.refused_reads += statement.read
            self.reasons[judged.refusal] += 1
            shortest = self.refused_examples.get(judged.refusal)
            if shortest is None or len(statement.sql) < len(shortest):
                self.refused_examples[judged.refusal] = statement.sql


def statements(count: int, seed: int):
    """`count` statements: seven in eight are queries; some writes stand in a transaction."""
    chance = random.Random(seed)
    grammar = RulesWrites(chance)
    made = 0
    while made < count:
        if chance.random() < 0.88:
            made += 1
            yield from query(chance, grammar)
            continue
        block = chance.random() < 0.3
        if block:
            yield Statement("BEGIN", "simple", read=False)
        for _ in range(chance.randint(2, 4) if block else 1):
            made += 1
            if block and chance.random() < 0.25:
                yield from query(chance, grammar)
                continue
            text, table = grammar.write()
            mode = chance.choice(["simple", "text", "binary"])
            sql, parameters = render(text, None if mode == "simple" else chance)
            yield Statement(sql, mode, parameters, read=False)
            yield Statement(f"SELECT * FROM {table}", "simple")
        if block:
            yield Statement(chance.choice(["COMMIT", "COMMIT", "ROLLBACK"]), "simple", read=False)


def query(chance: random.Random, grammar: Grammar):
    """One query, and sometimes the same text with other parameters."""
    tree = grammar.select()
    mode = chance.choice(["simple", "simple", "text", "binary"])
    sql, parameters, types = render_typed(tree.sql(), None if mode == "simple" else chance)
    yield Statement(sql, mode, parameters, tree)
    if parameters and chance.random() < 0.4:
        yield Statement(sql, mode, other_values(types, chance))


def make_smaller(pair: Pair, tree: Select, tries: int = 80) -> tuple[str, Judged] | None:
    """The smallest variant that still differs, and how."""
    best = None
    todo = [tree]
    while todo and tries > 0:
        candidate = todo.pop(0)
        tries -= 1
        sql, _ = render(candidate.sql(), None)
        judged = pair.judge(sql)
        # An answer that PostgreSQL itself refuses is another statement, not a smaller one.
        if judged.verdict == DIFFERENT and not (best and judged.postgres.startswith("error")):
            best = sql, judged
            todo = list(candidate.smaller())
    return best


def report(
    number: int, seed: int, shards: int, statement: Statement, judged: Judged, pair: Pair
) -> str:
    text = (
        f"DIFFERENT #{number} (seed {seed}, {shards} shards, {statement.mode}): {judged.why}\n"
        f"  {statement.sql}"
        + (f"\n  parameters: {statement.parameters}" if statement.parameters else "")
        + f"\n    PostgreSQL: {judged.postgres[:600]}\n    Shoal:      {judged.shoal[:600]}"
    )
    if statement.tree and pair.shoal.status == "IDLE":
        smaller = make_smaller(pair, statement.tree)
        if smaller and len(smaller[0]) < len(statement.sql):
            sql, judged = smaller
            text += (
                f"\n  smaller: {sql}\n    {judged.why}\n    PostgreSQL: {judged.postgres[:400]}"
                f"\n    Shoal:      {judged.shoal[:400]}"
            )
    return text


def run_world(world: World, count: int, seed: int) -> Tally:
    tally = Tally(world.shards)
    pair = world.connect()
    errors = clean_pair(pair)
    for sql in objects(random.Random(seed)):
        judged = pair.judge(sql)
        if judged.verdict != EQUAL or judged.postgres.startswith("error"):
            errors.append(f"{sql}\n    {judged.why} {judged.postgres}\n    {judged.shoal}")
    if errors:
        tally.different += 1
        tally.reports = ["the tables could not be made: " + "\n".join(errors[:5])]
        return tally
    for number, statement in enumerate(statements(count, seed)):
        judged = pair.judge(statement.sql, statement.mode, statement.parameters)
        tally.count(statement, judged)
        if judged.verdict == DIFFERENT and len(tally.reports) < MAX_REPORTS:
            tally.reports.append(report(number, seed, world.shards, statement, judged, pair))
    return tally


def run_all(made: list[World], count: int, seed: int) -> list[Tally]:
    with concurrent.futures.ProcessPoolExecutor(len(made)) as pool:
        jobs = [pool.submit(run_world, world, count, seed) for world in made]
        return [job.result() for job in jobs]


def show(tallies: list[Tally]) -> None:
    for tally in tallies:
        for text in tally.reports:
            print(text)
    for tally in tallies:
        reasons = ", ".join(f"{n} x{c}" for n, c in tally.reasons.most_common())
        print(
            f"{tally.shards} shards: equal={tally.equal} refused={tally.refused}"
            f" different={tally.different}"
            + (f"  ({reasons})" if reasons else "")
        )
    examples = {n: sql for tally in tallies for n, sql in tally.refused_examples.items()}
    for number, sql in sorted(examples.items()):
        print(f"  refused {number}: {sql}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shards", default="1,3,4")
    parser.add_argument("--against", choices=("shoal", "postgres", "lossy"), default="shoal")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.show:
        for statement in statements(options.count, options.seed):
            print(
                statement.sql
                + ";"
                + (f"  -- {statement.parameters}" if statement.parameters else "")
            )
        return 0
    with worlds([int(n) for n in options.shards.split(",")], options.against) as made:
        tallies = run_all(made, options.count, options.seed)
    show(tallies)
    different = sum(t.different for t in tallies)
    print(
        f"equal={sum(t.equal for t in tallies)} refused={sum(t.refused for t in tallies)}"
        f" different={different}"
    )
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
