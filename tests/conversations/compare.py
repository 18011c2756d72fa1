"""Compares two transcripts of one script, message by message.

Verdicts: equal; wording (only the text of errors or notices differs); refused (the second server
answers with a numbered refusal where they part); different.
"""

from dataclasses import dataclass

from protocol import SOURCE_FIELDS, WORDING_FIELDS

EQUAL, WORDING, REFUSED, DIFFERENT = "equal", "wording", "refused", "different"


@dataclass
class Verdict:
    kind: str
    lines: list  # what to print: the transcripts side by side where they part


def _behaviour(message):
    """What of a message must be equal however it is worded."""
    fields = {k: v for k, v in message.fields.items()
              if k not in WORDING_FIELDS and k not in SOURCE_FIELDS}
    return message.type, message.shown, fields


def _words(first, second):
    """The wording of both; where in the source it was raised counts when both tell."""
    sources = SOURCE_FIELDS & first.fields.keys() & second.fields.keys()
    names = WORDING_FIELDS | sources
    return ({k: v for k, v in first.fields.items() if k in names},
            {k: v for k, v in second.fields.items() if k in names})


def _context(first, second, at):
    lines = []
    for i in range(max(0, at - 3), at):
        lines.append(f"      {first[i].line:4} both    {first[i].message}")
    for name, entries in (("first", first), ("second", second)):
        for entry in entries[at : at + 3]:
            lines.append(f"      {entry.line:4} {name:7} {entry.message}")
        if at >= len(entries):
            lines.append(f"           {name:7} (nothing more)")
    return lines


def compare(first, second):
    """`first` is PostgreSQL's transcript, `second` the one that is judged."""
    a, b = first.entries, second.entries
    wording = []
    for i in range(max(len(a), len(b))):
        if i >= len(a) or i >= len(b):
            return Verdict(DIFFERENT, _context(a, b, i))
        left, right = a[i].message, b[i].message
        if a[i].session != b[i].session or _behaviour(left) != _behaviour(right):
            refused = right.refusal and not left.refusal
            return Verdict(REFUSED if refused else DIFFERENT, _context(a, b, i))
        left_words, right_words = _words(left, right)
        if left_words != right_words and not wording:
            wording = _context(a, b, i)
    return Verdict(WORDING, wording) if wording else Verdict(EQUAL, [])
