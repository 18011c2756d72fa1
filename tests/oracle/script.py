"""Reads `.test` files: the sqllogictest dialect without answers, which PostgreSQL gives itself.

    # comment                        the case's name, in words
    statement ok                     | statement error SQLSTATE
    SQL until an empty line
    query [TYPES] [rowsort|nosort]   TYPES: one letter per column, for readers
    SQL until an empty line
    copy [error SQLSTATE]            COPY ... FROM STDIN, then ---- and data until an empty line
    expect SQLSTATE|SHnnnn           Shoal alone must answer this error (PostgreSQL has no twin)
    include NAME                     the records of NAME.inc, which lies beside the file

Lines that may stand before or after a header line and modify that one record:
    may_refuse [SHnnnn]              a numbered refusal is an accepted answer
    route shards=N reason="text"     what EXPLAIN (ROUTE) must say: N is a number or "all"
    bind VALUE ...                   parameters $1 ..., NULL is null; always the extended protocol
    skipif shoal|simple|text|binary  | onlyif shards=N
    simple                           several statements in one text: always the simple protocol
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shlex


@dataclasses.dataclass
class Record:
    kind: str
    sql: str
    file: str
    line: int
    name: str = ""
    sqlstate: str = ""
    types: str = ""
    ordered: bool | None = None
    may_refuse: str | None = None
    route: dict = dataclasses.field(default_factory=dict)
    parameters: list | None = None
    skip: set = dataclasses.field(default_factory=set)
    only_shards: int | None = None
    simple: bool = False
    copy_data: bytes | None = None


MODIFIERS = ("may_refuse", "route", "bind", "skipif", "onlyif", "simple")
HEADERS = ("statement", "query", "copy", "expect")


class ScriptError(ValueError):
    """A `.test` file that cannot be read, with its file and line."""


def read(path: pathlib.Path) -> list[Record]:
    records = []
    for start, block in _blocks(path.read_text()):
        name = " ".join(line[1:].strip() for line in block if line.startswith("#"))
        lines = [(start + i, line) for i, line in enumerate(block) if not line.startswith("#")]
        if lines and lines[0][1].startswith("include "):
            records += read(path.with_name(lines[0][1].split()[1] + ".inc"))
        elif lines:
            records.append(_record(path, name, lines))
    return records


def _blocks(text: str):
    block: list[str] = []
    start = 1
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            if not block:
                start = number
            block.append(line)
        elif block:
            yield start, block
            block = []
    if block:
        yield start, block


def _record(path, name, lines) -> Record:
    record = Record("", "", path.name, lines[0][0], name)
    at = 0
    while at < len(lines) and (word := lines[at][1].split()[0]) in MODIFIERS + HEADERS:
        if record.kind and word in HEADERS:
            break
        number, line = lines[at]
        if word in HEADERS:
            _header(path, number, record, line.split())
        else:
            _modifier(path, number, record, word, line)
        at += 1
    if not record.kind:
        raise ScriptError(f"{path}:{lines[0][0]}: expected one of {', '.join(HEADERS)}")
    body = [line for _, line in lines[at:]]
    if record.kind == "copy":
        if "----" not in body:
            raise ScriptError(f"{path}:{record.line}: copy needs ---- and data")
        cut = body.index("----")
        data = "".join(line + "\n" for line in body[cut + 1 :])
        record.copy_data = data.replace("<empty>", "").encode()
        body = body[:cut]
    record.sql = "\n".join(body)
    if not record.sql.strip():
        raise ScriptError(f"{path}:{record.line}: a record without SQL")
    return record


def _header(path, number, record, words) -> None:
    record.kind, record.line = words[0], number
    rest = words[1:]
    if record.kind == "statement":
        if rest[:1] == ["error"]:
            record.sqlstate = rest[1] if len(rest) > 1 else "any"
        elif rest != ["ok"]:
            raise ScriptError(f"{path}:{number}: statement ok, or statement error SQLSTATE")
    elif record.kind == "copy" and rest[:1] == ["error"]:
        record.sqlstate = rest[1]
    elif record.kind == "expect":
        record.sqlstate = rest[0]
    elif record.kind == "query":
        for word in rest:
            if word in ("rowsort", "nosort"):
                record.ordered = word == "nosort"
            else:
                record.types = word


def _modifier(path, number, record, word, line) -> None:
    rest = line.split()[1:]
    if word == "may_refuse":
        record.may_refuse = rest[0] if rest else ""
    elif word == "route":
        record.route = dict(re.findall(r'(\w+)=("[^"]*"|\S+)', line))
        record.route = {k: v.strip('"') for k, v in record.route.items()}
        if "shards" not in record.route:
            raise ScriptError(f"{path}:{number}: route needs shards=N")
    elif word == "bind":
        record.parameters = [None if v == "NULL" else v for v in shlex.split(line)[1:]]
    elif word == "skipif":
        record.skip.update(rest)
    elif word == "onlyif":
        record.only_shards = int(rest[0].split("=")[1])
    elif word == "simple":
        record.simple = True
