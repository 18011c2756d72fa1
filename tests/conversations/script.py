"""The script language: text -> list of steps. The grammar stands in README.md.

A script never says what a server answers in full; it says what to send, how far to read, and which
types of messages must come. The answers themselves are compared between two servers.
"""

import re
from dataclasses import dataclass, field

import protocol

TOKEN = re.compile(
    r"""\s*(?:x'(?P<hex>[0-9a-fA-F]*)'|"(?P<text>(?:[^"\\]|\\.)*)"|(?P<word>[^\s"]+))"""
)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", '"': '"'}


class ScriptError(Exception):
    pass


@dataclass
class Step:
    line: int
    verb: str
    arguments: list = field(default_factory=list)
    data: bytes = b""


@dataclass
class Script:
    name: str
    claim: str
    path: str
    line: int
    steps: list = field(default_factory=list)


class Word(str):
    """A bare word, as opposed to a quoted string."""


def _unescape(text):
    def one(match):
        escape = match.group(1)
        if escape not in ESCAPES:
            raise ScriptError(f"unknown escape \\{escape}")
        return ESCAPES[escape]

    return re.sub(r"\\(.)", one, text)


def tokens(text):
    """Splits into Words, strings and bytes; `"..." * N + "..."` repeats and joins."""
    out, at = [], 0
    while at < len(text) and text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            raise ScriptError(f"cannot read {text[at:]!r}")
        at = match.end()
        if match.group("hex") is not None:
            out.append(bytes.fromhex(match.group("hex")))
        elif match.group("text") is not None:
            out.append(_unescape(match.group("text")))
        else:
            out.append(Word(match.group("word")))
    return _combine(out)


def _combine(items):
    """Carries out `*` (repeat) and `+` (join) between quoted items."""
    out, i = [], 0
    while i < len(items):
        operator = items[i] if isinstance(items[i], Word) and out and i + 1 < len(items) else ""
        if operator == "*":
            out[-1] = out[-1] * int(items[i + 1])
            i += 2
        elif operator == "+":
            # The right side is one item, or an item with its own repetition.
            right, i = items[i + 1], i + 2
            if i + 1 < len(items) and isinstance(items[i], Word) and items[i] == "*":
                right, i = right * int(items[i + 1]), i + 2
            out[-1] = out[-1] + right
        else:
            out.append(items[i])
            i += 1
    return out


def _numbers(word):
    return [int(n) for n in word.split(",")] if word else []


def _options(items, names):
    """Splits `a b key=value` into positional items and the named options."""
    plain, named = [], {}
    for item in items:
        key, equals, value = item.partition("=") if isinstance(item, Word) else ("", "", "")
        if equals and key in names:
            named[key] = value
        else:
            plain.append(item)
    return plain, named


def _value(item):
    return None if isinstance(item, Word) and item == "NULL" else item


def _bind(items):
    plain, named = _options(items, ("formats", "results"))
    return protocol.bind(plain[0], plain[1], [_value(v) for v in plain[2:]],
                         _numbers(named.get("formats")), _numbers(named.get("results")))


def _function_call(items):
    plain, named = _options(items, ("formats", "result"))
    return protocol.function_call(int(plain[0]), [_value(v) for v in plain[1:]],
                                  _numbers(named.get("formats")), int(named.get("result", 0)))


def _parse(items):
    plain, named = _options(items, ("types",))
    return protocol.parse(plain[0], plain[1], _numbers(named.get("types")))


def _startup(items):
    plain, named = _options(items, ("version",))
    major, _, minor = named.get("version", "3.0").partition(".")
    params = dict(item.split("=", 1) for item in plain)
    return protocol.startup(params, int(major) << 16 | int(minor))


MESSAGES = {
    "Query": lambda a: protocol.message("Q", protocol.cstring(a[0])),
    "Parse": _parse,
    "Bind": _bind,
    "Describe": lambda a: protocol.target("D", a[0], a[1]),
    "Close": lambda a: protocol.target("C", a[0], a[1]),
    "Execute": lambda a: protocol.execute(a[0], int(a[1]) if len(a) > 1 else 0),
    "Flush": lambda a: protocol.message("H"),
    "Sync": lambda a: protocol.message("S"),
    "CopyData": lambda a: protocol.message("d", protocol.as_bytes(a[0])),
    "CopyDone": lambda a: protocol.message("c"),
    "CopyFail": lambda a: protocol.message("f", protocol.cstring(a[0])),
    "FunctionCall": _function_call,
    "Terminate": lambda a: protocol.message("X"),
    "Startup": _startup,
    "SSLRequest": lambda a: protocol.SSL_REQUEST,
    "GSSENCRequest": lambda a: protocol.GSS_REQUEST,
    # A message of any type with any body, and bytes that need be no message.
    "Message": lambda a: protocol.message(a[0], protocol.as_bytes(a[1]) if len(a) > 1 else b""),
    "Raw": lambda a: protocol.as_bytes(a[0]),
}

VERBS = {"setup", "teardown", "shard", "reference", "session", "connect", "write", "send", "wait",
         "cancel", "drop", "<", "="}


def _step(number, line):
    verb, _, rest = line.partition(" ")
    if verb == ">":
        items = tokens(rest)
        if not items or items[0] not in MESSAGES:
            raise ScriptError(f"unknown message {rest!r}")
        return Step(number, ">", [str(items[0])], MESSAGES[items[0]](items[1:]))
    if verb in ("setup", "teardown"):
        return Step(number, verb, [rest])
    if verb not in VERBS:
        raise ScriptError(f"unknown verb {verb!r}")
    return Step(number, verb, rest.split())


def load(path, names):
    """All scripts of one file; `{user}` and `{database}` are replaced by what `names` says."""
    scripts = []
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for number, line in enumerate(lines, 1):
        line = line.strip()
        for name, value in names.items():
            line = line.replace("{" + name + "}", value)
        if not line or line.startswith("#"):
            continue
        try:
            if line.startswith("=="):
                name, colon, claim = line[2:].partition(":")
                if not colon or not claim.strip():
                    raise ScriptError("a script needs a claim: == name: claim")
                scripts.append(Script(name.strip(), claim.strip(), str(path), number))
            elif not scripts:
                raise ScriptError("a step before the first script")
            else:
                scripts[-1].steps.append(_step(number, line))
        except (ScriptError, IndexError, ValueError) as problem:
            raise ScriptError(f"{path}:{number}: {problem}") from problem
    return scripts
