#!/usr/bin/env python3
"""Plays protocol conversations against PostgreSQL and against Shoal and compares every message.

    run.py --postgres HOST:PORT --shoal HOST:PORT --user app --database app [--filter x]

It starts nothing. The last line is `equal=N wording=N refused=N different=N leaks=N
broken=N`; the exit status is 0 when nothing is different, leaked or broken.
"""

import argparse
import pathlib
import sys
import time

import admin
import compare
import player
import script as scripts

HERE = pathlib.Path(__file__).resolve().parent

# What one client must never inherit from another. Run on a fresh connection after every script.
PROBE = """select current_user, session_user, current_setting('search_path'),
  current_setting('TimeZone'), current_setting('DateStyle'), current_setting('statement_timeout'),
  current_setting('transaction_isolation'), current_setting('standard_conforming_strings'),
  coalesce(current_setting('conv.mark', true), ''), pg_current_xact_id_if_assigned() is null,
  now() = statement_timestamp(), (select count(*) from pg_cursors),
  (select count(*) from pg_class where relpersistence = 't' and relname like 'conv%'),
  (select count(*) from pg_locks where locktype = 'advisory')"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--postgres", required=True, metavar="HOST:PORT")
    parser.add_argument("--shoal", required=True, metavar="HOST:PORT")
    parser.add_argument("--user", default="app")
    parser.add_argument("--admin-user", default="app", help="who asks the admin console")
    parser.add_argument("--database", default="app")
    parser.add_argument("--filter", default="", help="play scripts whose name or file has this")
    parser.add_argument("--list", action="store_true", help="print the scripts and stop")
    parser.add_argument("--verbose", action="store_true", help="print the transcripts too")
    parser.add_argument("--plain", action="store_true",
                        help="the second server is a PostgreSQL too: no shards, no admin console")
    parser.add_argument("--no-admin", action="store_true", help="do not ask the admin console")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds to wait for an answer")
    parser.add_argument("--second-options", default="",
                        help="start-up options for the second server, e.g. '-c bytea_output=escape'")
    return parser.parse_args()


def server(address, args, **more):
    host, _, port = address.rpartition(":")
    return player.Server(host, int(port), args.user, args.database, timeout=args.timeout, **more)


def statements(script, verbs, shards):
    """SQL of the script's set-up or teardown steps."""
    found = []
    for step in script.steps:
        if step.verb not in verbs:
            continue
        if step.verb in ("setup", "teardown"):
            found.append(step.arguments[0])
        elif shards and step.verb == "shard":
            found.append("select create_distributed_table('{}', '{}')".format(*step.arguments))
        elif shards and step.verb == "reference":
            found.append("select create_reference_table('{}')".format(*step.arguments))
    return found


def teardown(script, where):
    for sql in statements(script, ("teardown",), where.shards):
        try:
            player.run_sql(where, [sql])
        except (RuntimeError, OSError, player.Silence, player.Closed):
            pass  # what was never set up cannot be removed


def play(script, where):
    teardown(script, where)  # what an interrupted run left
    setup = statements(script, ("setup", "shard", "reference"), where.shards)
    try:
        player.run_sql(where, setup)
        return player.Player(where).play(script)
    finally:
        teardown(script, where)


def leaks(first, second, args):
    """What the script left behind on the second server; empty when nothing."""
    found = []
    expected = player.run_sql(first, [PROBE])
    # Several at once, so that more than one pooled connection is seen.
    got = [player.run_sql(second, [PROBE]) for _ in range(3)]
    for rows in got:
        if rows != expected:
            found.append(f"a new client sees {rows[0]} instead of {expected[0]}")
            break
    if not (args.plain or args.no_admin):
        left = admin.wait_until_idle(second, args.admin_user)
        if left:
            found.append(f"connections still in use: {left}")
    return found


def print_transcript(name, transcript):
    for entry in transcript.entries:
        print(f"      {entry.line:4} {name:7} {entry.session}: {entry.message}")


class Score:
    def __init__(self):
        self.counts = dict.fromkeys(
            ("equal", "wording", "refused", "different", "leaks", "broken"), 0)

    def add(self, kind, script, lines=()):
        self.counts[kind] += 1
        if kind != "equal":
            print(f"{kind.upper():9} {script.name}: {script.claim}")
            print(f"      {script.path}:{script.line}")
            for line in lines:
                print(line)

    def __str__(self):
        return " ".join(f"{k}={v}" for k, v in self.counts.items())

    def good(self):
        return not any(self.counts[k] for k in ("different", "leaks", "broken"))


def judge(script, first, second, args, score):
    try:
        expected = play(script, first)
    except (RuntimeError, OSError, player.Silence, player.Closed) as problem:
        score.add("broken", script, [f"      PostgreSQL: {problem}"])
        return
    stuck = [e for e in expected.entries if e.message.type == "!"]
    if stuck:
        score.add("broken", script, [f"      line {e.line}: {e.message.shown}" for e in stuck])
        return
    if expected.problems:
        score.add("broken", script,
                  [f"      line {n}: PostgreSQL answers {got}, the script expects {want}"
                   for n, want, got in expected.problems])
        return
    try:
        got = play(script, second)
        verdict = compare.compare(expected, got)
    except (RuntimeError, OSError, player.Silence, player.Closed) as problem:
        # Not even the set-up works there.
        score.add("refused" if "D='SH" in str(problem) else "different", script,
                  [f"      second: {problem}"])
        return
    score.add(verdict.kind, script, verdict.lines)
    if args.verbose:
        print_transcript("first", expected)
        print_transcript("second", got)


def main():
    args = arguments()
    names = {"user": args.user, "database": args.database}
    try:
        wanted = [s for path in sorted((HERE / "scripts").glob("*.conv"))
                  for s in scripts.load(path, names) if args.filter in f"{path.stem}/{s.name}"]
    except scripts.ScriptError as problem:
        sys.exit(str(problem))
    if args.list:
        for s in wanted:
            print(f"{pathlib.Path(s.path).stem}/{s.name}: {s.claim}")
        return 0
    if not wanted:
        sys.exit("no script matches")
    used = [s.name for s in wanted]
    if len(set(used)) != len(used):
        sys.exit("two scripts have one name: " +
                 ", ".join(sorted({n for n in used if used.count(n) > 1})))
    first = server(args.postgres, args)
    second = server(args.shoal, args, shards=not args.plain, options=args.second_options)
    score, began = Score(), time.monotonic()
    for s in wanted:
        judge(s, first, second, args, score)
        try:
            left = leaks(first, second, args)
        except (RuntimeError, OSError, player.Silence, player.Closed) as problem:
            left = [f"the server cannot be asked: {problem}"]
        if left:
            score.add("leaks", s, [f"      {line}" for line in left])
    print(f"{len(wanted)} conversations in {time.monotonic() - began:.1f} s")
    print(score)
    return 0 if score.good() else 1


if __name__ == "__main__":
    sys.exit(main())
