"""PostgreSQL protocol 3.0 as seen by a client: encoding what it sends, printing what it receives.

Nothing here knows about scripts or servers. A received message becomes a Message whose `shown` form
holds everything that two servers of one version must agree about; what must differ (process ids,
object ids of user tables and types) is replaced by a word.
"""

import hashlib
import struct
from dataclasses import dataclass, field

FIRST_USER_OID = 16384
LONGEST_SHOWN_VALUE = 120

# Fields of ErrorResponse and NoticeResponse whose text is wording, not behaviour.
WORDING_FIELDS = frozenset("MDHWPpq")
# Where in the server's source an error was raised: compared only when both sides tell.
SOURCE_FIELDS = frozenset("FLR")


@dataclass
class Message:
    """One received message. `fields` is filled for errors and notices only."""

    type: str
    shown: str
    fields: dict = field(default_factory=dict)

    def __str__(self):
        if not self.fields:
            return f"{self.type} {self.shown}".rstrip()
        parts = [f"{k}={v!r}" for k, v in self.fields.items() if k not in SOURCE_FIELDS]
        return f"{self.type} " + " ".join(parts)

    @property
    def refusal(self):
        """True for a numbered refusal."""
        detail = self.fields.get("D", "")
        return self.type == "E" and detail.startswith("SH") and detail[2:6].isdigit()


# ---- sending ----------------------------------------------------------------------------------


def message(kind, body=b""):
    return kind.encode() + struct.pack(">I", len(body) + 4) + body


def packet(code, body=b""):
    """A start-up packet: no type byte."""
    return struct.pack(">II", len(body) + 8, code) + body


def cstring(text):
    return as_bytes(text) + b"\0"


def as_bytes(value):
    return value if isinstance(value, bytes) else value.encode()


def startup(params, version=3 << 16):
    body = b"".join(cstring(k) + cstring(v) for k, v in params.items()) + b"\0"
    return packet(version, body)


SSL_REQUEST = packet(1234 << 16 | 5679)
GSS_REQUEST = packet(1234 << 16 | 5680)


def cancel_request(pid, secret):
    return packet(1234 << 16 | 5678, struct.pack(">i", pid) + secret)


def _formats(codes):
    return struct.pack(">H", len(codes)) + b"".join(struct.pack(">h", c) for c in codes)


def _values(values):
    out = struct.pack(">H", len(values))
    for value in values:
        if value is None:
            out += struct.pack(">i", -1)
        else:
            raw = as_bytes(value)
            out += struct.pack(">i", len(raw)) + raw
    return out


def parse(name, sql, types=()):
    body = cstring(name) + cstring(sql) + struct.pack(">H", len(types))
    return message("P", body + b"".join(struct.pack(">I", t) for t in types))


def bind(portal, statement, values=(), formats=(), results=()):
    body = cstring(portal) + cstring(statement)
    return message("B", body + _formats(formats) + _values(values) + _formats(results))


def function_call(oid, arguments=(), formats=(), result=0):
    body = struct.pack(">I", oid) + _formats(formats) + _values(arguments)
    return message("F", body + struct.pack(">h", result))


def execute(portal, max_rows=0):
    return message("E", cstring(portal) + struct.pack(">i", max_rows))


def target(kind, what, name):
    """Describe ('D') or Close ('C') of a statement ('S') or portal ('P')."""
    return message(kind, as_bytes(what) + cstring(name))


# ---- receiving --------------------------------------------------------------------------------


class Reader:
    """Takes values off the front of a message body."""

    def __init__(self, body):
        self.rest = body

    def unpack(self, layout):
        size = struct.calcsize(layout)
        value = struct.unpack(layout, self.rest[:size])[0]
        self.rest = self.rest[size:]
        return value

    def bytes(self, count):
        taken, self.rest = self.rest[:count], self.rest[count:]
        if len(taken) != count:
            raise ValueError("message ends too early")
        return taken

    def cstring(self):
        end = self.rest.index(b"\0")
        text, self.rest = self.rest[:end], self.rest[end + 1 :]
        return text.decode("utf-8", "backslashreplace")


def show_value(raw):
    if raw is None:
        return "NULL"
    if len(raw) > LONGEST_SHOWN_VALUE:
        return f"<{len(raw)} bytes {hashlib.sha256(raw).hexdigest()[:16]}>"
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return f"x'{raw.hex()}'"
    if text.isprintable():
        return f"'{text}'"
    return f"x'{raw.hex()}'"


def show_oid(oid):
    return "user" if oid >= FIRST_USER_OID else str(oid)


def _row_description(r):
    columns = []
    for _ in range(r.unpack(">H")):
        name = r.cstring()
        table, attnum, type_oid = r.unpack(">I"), r.unpack(">h"), r.unpack(">I")
        size, typmod, form = r.unpack(">h"), r.unpack(">i"), r.unpack(">h")
        columns.append(f"{name}:{show_oid(type_oid)},{size},{typmod},f{form}"
                       f",{show_oid(table)}.{attnum}")
    return " ".join(columns) or "no columns"


def _data_row(r):
    values = []
    for _ in range(r.unpack(">H")):
        length = r.unpack(">i")
        values.append(None if length < 0 else r.bytes(length))
    return " ".join(show_value(v) for v in values) or "no columns"


def _copy_response(r):
    return f"{r.unpack('>B')} " + ",".join(str(r.unpack(">h")) for _ in range(r.unpack(">H")))


def _function_result(r):
    length = r.unpack(">i")
    return show_value(None if length < 0 else r.bytes(length))


def _notification(r):
    r.unpack(">i")  # the sender's process id
    return f"{r.cstring()} {r.cstring()}"


def _types(r):
    return ",".join(show_oid(r.unpack(">I")) for _ in range(r.unpack(">H")))


def _all(r):
    return show_value(r.bytes(len(r.rest))) if r.rest else ""


def _hidden(r):
    r.rest = b""
    return ""


_PRINTERS = {
    "T": _row_description,
    "D": _data_row,
    "t": _types,
    "G": _copy_response,
    "H": _copy_response,
    "W": _copy_response,
    "V": _function_result,
    "A": _notification,
    "S": lambda r: f"{r.cstring()}={r.cstring()}",
    "C": lambda r: r.cstring(),
    "Z": lambda r: r.bytes(1).decode(),
    "R": lambda r: f"{r.unpack('>I')} {_all(r)}".rstrip(),
    "K": _hidden,
}


def decode(kind, body):
    """Makes the Message of one received frame; a body that does not fit its type is shown so."""
    r = Reader(body)
    try:
        if kind in "EN":
            fields = {}
            while (code := r.bytes(1)) != b"\0":
                fields[code.decode("latin-1")] = r.cstring()
            result = Message(kind, "", fields)
        else:
            result = Message(kind, _PRINTERS.get(kind, _all)(r))
    except (ValueError, struct.error) as problem:
        return Message(kind, f"!! malformed ({problem}) {body[:60].hex()}")
    if r.rest:
        result.shown += f" !! {len(r.rest)} surplus bytes"
    return result
