#!/usr/bin/env python3
"""Sample data that every Debian machine has: the package lists, as a multi-tenant database.

    tools/sample_data.py make DIR              writes one CSV file per table
    tools/sample_data.py load URL DIR          creates the tables, shards them and loads the files
    tools/sample_data.py query URL             runs the example queries

A maintainer is a tenant: maintainers, packages and dependencies are sharded by the maintainer;
sections and priorities are reference tables.
"""

from __future__ import annotations

import csv
import pathlib
import re
import subprocess
import sys
import time

import psycopg

SCHEMA = """
CREATE TABLE sections (id int PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE priorities (id int PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE maintainers (id int PRIMARY KEY, name text NOT NULL, email text);
CREATE TABLE packages (
    maintainer_id int NOT NULL,
    id bigint NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    section_id int REFERENCES sections,
    priority_id int REFERENCES priorities,
    installed_size bigint,
    size bigint,
    description text,
    PRIMARY KEY (maintainer_id, id));
CREATE TABLE dependencies (
    maintainer_id int NOT NULL,
    package_id bigint NOT NULL,
    depends_on text NOT NULL,
    kind text NOT NULL);
CREATE INDEX packages_name ON packages (name);
CREATE INDEX dependencies_package ON dependencies (maintainer_id, package_id)
"""
PLACEMENT = [
    "SELECT create_reference_table('sections')",
    "SELECT create_reference_table('priorities')",
    "SELECT create_distributed_table('maintainers', 'id')",
    "SELECT create_distributed_table('packages', 'maintainer_id')",
    "SELECT create_distributed_table('dependencies', 'maintainer_id')",
]
TABLES = {
    "sections": ("id", "name"),
    "priorities": ("id", "name"),
    "maintainers": ("id", "name", "email"),
    "packages": (
        "maintainer_id",
        "id",
        "name",
        "version",
        "section_id",
        "priority_id",
        "installed_size",
        "size",
        "description",
    ),
    "dependencies": ("maintainer_id", "package_id", "depends_on", "kind"),
}
KINDS = {
    "Depends": "depends",
    "Pre-Depends": "pre-depends",
    "Recommends": "recommends",
    "Suggests": "suggests",
}
EXAMPLES = [
    (
        "one tenant: one shard",
        (
            "SELECT name, version, installed_size FROM packages\n WHERE maintainer_id = 1 ORDER BY"
            " installed_size DESC, name LIMIT 3"
        ),
    ),
    (
        "all tenants: every shard, joined with a reference table, merged",
        (
            "SELECT s.name AS section, count(*) AS packages, sum(p.installed_size) AS kib\n  FROM"
            " packages p JOIN sections s ON s.id = p.section_id\n GROUP BY s.name ORDER BY packages"
            " DESC, section LIMIT 5"
        ),
    ),
    (
        "a join of sharded tables on the key: stays on each shard",
        (
            "SELECT m.name, count(DISTINCT d.depends_on) AS needed\n  FROM maintainers m JOIN"
            " dependencies d ON d.maintainer_id = m.id\n WHERE d.kind = 'depends' GROUP BY m.id,"
            " m.name ORDER BY needed DESC, m.name LIMIT 5"
        ),
    ),
]


def paragraphs(text: str):
    """The stanzas of `apt-cache dumpavail`, folded lines joined."""
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        last = None
        for line in block.split("\n"):
            if line[:1] in (" ", "\t"):
                if last:
                    fields[last] += "\n" + line.strip()
            elif ":" in line:
                last, value = line.split(":", 1)
                fields[last] = value.strip()
        if "Package" in fields:
            yield fields


def number(ids: dict[str, int], name: str) -> int:
    return ids.setdefault(name, len(ids) + 1)


def dependency_names(value: str) -> list[str]:
    names = [re.split(r"[\s(:|\[]", part.strip(), maxsplit=1)[0] for part in value.split(",")]
    return list(dict.fromkeys(name for name in names if name))


def make(folder: pathlib.Path) -> dict[str, int]:
    """Writes the CSV files; returns the number of rows of each table."""
    text = subprocess.run(
        ["apt-cache", "dumpavail"], capture_output=True, text=True, errors="replace"
    ).stdout
    if not text:
        raise SystemExit("apt-cache has no package lists; run make deps")
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list] = {table: [] for table in TABLES}
    sections, priorities, maintainers, seen = {}, {}, {}, set()
    for fields in paragraphs(text):
        key = (fields["Package"], fields.get("Version"), fields.get("Architecture"))
        if key in seen:
            continue
        seen.add(key)
        maintainer = number(maintainers, fields.get("Maintainer", "unknown"))
        package = len(rows["packages"]) + 1
        rows["packages"].append(
            (
                maintainer,
                package,
                fields["Package"],
                fields.get("Version", ""),
                number(sections, fields.get("Section", "unknown")),
                number(priorities, fields.get("Priority", "unknown")),
                fields.get("Installed-Size"),
                fields.get("Size"),
                (fields.get("Description") or fields.get("Description-en") or "").split("\n")[0],
            )
        )
        for field, kind in KINDS.items():
            for name in dependency_names(fields.get(field, "")):
                rows["dependencies"].append((maintainer, package, name, kind))
    rows["sections"] = [(i, name) for name, i in sections.items()]
    rows["priorities"] = [(i, name) for name, i in priorities.items()]
    for name, i in maintainers.items():
        parts = re.match(r"(.*?)\s*<(.*)>", name)
        rows["maintainers"].append(
            (i, parts.group(1).strip('"') if parts else name, parts.group(2) if parts else None)
        )
    for table, content in rows.items():
        with open(folder / f"{table}.csv", "w", newline="") as file:
            csv.writer(file).writerows(content)
    return {table: len(content) for table, content in rows.items()}


def loaded(url: str) -> bool:
    """Whether the last table, which COPY fills at once or not at all, has rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute(
            "SELECT to_regclass('public.dependencies') IS NOT NULL"
        ).fetchone()[0]:
            return False
        return connection.execute("SELECT EXISTS (SELECT FROM dependencies)").fetchone()[0]


def load(url: str, folder: pathlib.Path, placement: bool = True) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for table in reversed(TABLES):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        for statement in PLACEMENT if placement else []:
            connection.execute(statement)
        for table, columns in TABLES.items():
            started = time.monotonic()
            copy_text = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)"
            with open(folder / f"{table}.csv", "rb") as file, connection.cursor() as cursor:
                with cursor.copy(copy_text) as copy:
                    while block := file.read(1 << 18):
                        copy.write(block)
                print(
                    f"  {table:<13}{cursor.rowcount:>8} rows in {time.monotonic() - started:.1f} s"
                )


def query(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for title, sql in EXAMPLES:
            started = time.monotonic()
            cursor = connection.execute(sql)
            rows = cursor.fetchall()
            print(f"\n-- {title} ({(time.monotonic() - started) * 1000:.0f} ms)\n{sql};")
            table = [
                [c.name for c in cursor.description],
                *[["" if v is None else str(v) for v in r] for r in rows],
            ]
            widths = [max(len(row[c]) for row in table) for c in range(len(table[0]))]
            for row in table:
                print(
                    "   "
                    + "  ".join(value.ljust(width) for value, width in zip(row, widths)).rstrip()
                )


def main() -> int:
    if sys.argv[1:2] == ["make"] and len(sys.argv) == 3:
        for table, count in make(pathlib.Path(sys.argv[2])).items():
            print(f"  {table:<13}{count:>8} rows")
    elif sys.argv[1:2] == ["load"] and len(sys.argv) == 4:
        load(sys.argv[2], pathlib.Path(sys.argv[3]))
    elif sys.argv[1:2] == ["query"] and len(sys.argv) == 3:
        query(sys.argv[2])
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
