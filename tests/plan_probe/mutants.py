"""Positive control of property_check.py: rules made wrong, one at a time, must be found out.

Each mutant is a copy of one source file with one rule weakened, compiled beside the built rooms and
run against random statements until the first difference. A mutant that survives is reported.

    mutants.py [--count N] [--build build/release]
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent

# name, file, text, replacement
MUTANTS = [
    (
        "rows of a reference table kept once per shard",
        "derive_from.cc",
        'return gathered("an outer join keeps rows of a reference table against a sharded table");',
        "return other;",
    ),
    (
        "the nullable side's key stays part",
        "derive_from.cc",
        "  for (Match m : other.match) {\n    m.part = false;",
        "  for (Match m : other.match) {",
    ),
    (
        "any two relations are linked",
        "derive_from.cc",
        "  for (const Match& x : a.match) {\n"
        "    for (const Match& y : b.match) {\n      if (!x.link",
        "  if (!a.match.empty() && !b.match.empty()) return true;\n"
        "  for (const Match& x : a.match) {\n"
        "    for (const Match& y : b.match) {\n      if (!x.link",
    ),
    (
        "the ON prunes the preserved side",
        "derive_from.cc",
        "const Property kept = side(kept_node, b, above);",
        "Classes wrong = above;\n  add_conditions(own, wrong);\n"
        "  const Property kept = side(kept_node, b, wrong);",
    ),
    (
        "classes cross an outer join",
        "derive_from.cc",
        "if (!n.join || kind(n) != sql::Join::Kind::kInner) {",
        "if (!n.join || kind(n) == sql::Join::Kind::kFull) {",
    ),
    (
        "a full join's sides stay part",
        "derive_from.cc",
        "    for (Match m : p->match) {\n      m.part = false;",
        "    for (Match m : p->match) {",
    ),
    (
        "GROUP BY a nullable key",
        "derive_block.cc",
        "return m.part && m.link && std::all_of",
        "return m.link && std::all_of",
    ),
    (
        "one grouping set with the key is enough",
        "derive_block.cc",
        'if (!has_part(p, set)) return gathered("GROUP BY without the shard key");',
        "if (has_part(p, set)) break;",
    ),
    (
        "windows need no key",
        "derive_block.cc",
        'if (!has_part(p, keys)) return gathered("a window is not partitioned by the shard key");',
        "",
    ),
    (
        "LIMIT inside a block per shard",
        "derive_block.cc",
        'if (!p.singular()) return gathered("LIMIT or OFFSET over several shards");',
        "",
    ),
    (
        "an aggregate per shard",
        "derive_block.cc",
        'if (!p.singular()) return gathered("an aggregate over several shards");',
        "if (!p.singular()) return p;",
    ),
    (
        "UNION without the key",
        "derive_block.cc",
        'if (!all && !any_part) return gathered("UNION without the shard key");',
        "",
    ),
    (
        "EXCEPT without the key",
        "derive_block.cc",
        'if (!proved) return gathered("INTERSECT or EXCEPT without the shard key");',
        "",
    ),
    (
        "a UNION arm of a reference table on every shard",
        "derive_block.cc",
        'return gathered("one arm of a UNION is the same on every shard");',
        "return l_everywhere ? r : l;",
    ),
    (
        "a subquery needs no link",
        "derive_subquery.cc",
        'return gathered("a subquery reads a sharded table without the outer row\'s shard key");',
        "return p;",
    ),
    (
        "NOT IN of nullable keys",
        "derive_subquery.cc",
        "if (parts && !(x.part && y.part)) continue;",
        "",
    ),
    (
        "OR prunes by one arm",
        "derive_prune.cc",
        "      if (!s) {\n        all.reset();\n        break;\n      }",
        "      if (!s) continue;",
    ),
    (
        "NOT IN prunes",
        "classes.cc",
        "    case Form::kIn:\n",
        "    case Form::kIn:\n    case Form::kNotIn:\n",
    ),
    (
        "DISTINCT without the key",
        "derive_block.cc",
        'return part ? p : gathered("DISTINCT without the shard key");',
        "return p;",
    ),
    (
        "= ALL proves its column",
        "classes.cc",
        "    case Form::kAny:\n",
        "    case Form::kAny:\n    case Form::kAll:\n",
    ),
]


def compile_probe(build: pathlib.Path, folder: pathlib.Path, file: str, text: str) -> pathlib.Path:
    source = folder / file
    source.write_text(text)
    objects = []
    for unit in (source, HERE / "main.cc"):
        obj = folder / (unit.stem + ".o")
        if unit != source and obj.exists():
            objects.append(obj)
            continue
        subprocess.run(
            [
                "c++",
                "-std=c++20",
                "-O1",
                "-DBOOST_ALL_NO_LIB",
                "-include",
                ROOT / "src/base/pch.h",
                "-I",
                ROOT / "src",
                "-c",
                unit,
                "-o",
                obj,
            ],
            check=True,
        )
        objects.append(obj)
    libraries = [
        build / f"libshoal_{r}.a" for r in ("plan", "route", "sql", "catalog", "keys", "base")
    ]
    probe = folder / "probe"
    subprocess.run(
        [
            "c++",
            "-o",
            probe,
            *objects,
            *libraries,
            "-lpg_query",
            "-lprotobuf-c",
            "-lfmt",
            "-lcrypto",
        ],
        check=True,
    )
    return probe


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    args = parser.parse_args()
    survivors = []
    with tempfile.TemporaryDirectory() as name:
        for title, file, old, new in MUTANTS:
            text = (ROOT / "src/route" / file).read_text()
            if old not in text:
                print(f"GONE      {title}: the rule's text has changed")
                survivors.append(title)
                continue
            probe = compile_probe(args.build, pathlib.Path(name), file, text.replace(old, new))
            done = subprocess.run(
                [
                    sys.executable,
                    HERE / "property_check.py",
                    "--stop",
                    "--count",
                    str(args.count),
                    "--seed",
                    "1",
                    "--probe",
                    probe,
                ],
                capture_output=True,
                text=True,
            )
            found = "'different': 1" in done.stdout
            print(f"{'found' if found else 'SURVIVED':9} {title}", flush=True)
            if not found:
                survivors.append(title)
    print(f"{len(survivors)} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
