"""Key functions and placements over Python objects."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union, overload

from . import _core
from ._core import KeyFunctionError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

DEFAULT_SALT = b"dorm-shard"

# Functions that hash the text an application would hash. Without types their key is str(object).
_TEXT_FUNCTIONS = frozenset({"ring", "dorm", "digest_mod", "redis", "rendezvous"})
_TEXT_TYPES = frozenset(
    {"text", "varchar", "character varying", "name", "bpchar", "char", "character"}
)


@overload
def shard_for(key: object, num_shards: int, *, aliases: None = None, salt: bytes = ...) -> int: ...
@overload
def shard_for(
    key: object, num_shards: int, *, aliases: Sequence[str], salt: bytes = ...
) -> str: ...
def shard_for(
    key: object,
    num_shards: int,
    *,
    aliases: Optional[Sequence[str]] = None,
    salt: bytes = DEFAULT_SALT,
) -> Union[int, str]:
    """The shard of a key, 0 .. num_shards-1; with aliases, the alias at that place.

    BLAKE2b with the salt as its key over str(key), eight bytes read as a big-endian number, modulo
    num_shards. ValueError when the key is None, there is no shard, the number of aliases is another
    one, or the salt is longer than 64 bytes.
    """
    if key is None:
        raise ValueError("a shard key must not be None")
    if not isinstance(salt, (bytes, bytearray, memoryview)):
        raise TypeError("salt must be bytes")
    if num_shards < 1:
        raise ValueError("num_shards must be at least 1")
    if aliases is not None and len(aliases) != num_shards:
        raise ValueError(f"{num_shards} shards need {num_shards} aliases, not {len(aliases)}")
    bucket = _core.shard_for(str(key).encode(), num_shards, bytes(salt))
    return bucket if aliases is None else aliases[bucket]


def function_names() -> list[str]:
    """The names that KeyFunction knows."""
    return _core.function_names()


def _type_of(value: object) -> str:
    """The SQL type that drivers give a Python object."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int8"
    if isinstance(value, str):
        return "text"
    if isinstance(value, uuid.UUID):
        return "uuid"
    if isinstance(value, datetime.datetime):
        return "timestamptz" if value.tzinfo else "timestamp"
    if isinstance(value, datetime.date):
        return "date"
    if isinstance(value, datetime.time):
        return "time"
    if isinstance(value, decimal.Decimal):
        return "numeric"
    if isinstance(value, float):
        return "float8"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "bytea"
    raise TypeError(f"no SQL type is known for a key of {type(value).__name__}; give types=")


def _text_of(value: object, type_name: str) -> Optional[str]:
    """The text that the type's input function reads; None is NULL."""
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        if type_name != "bool" and type_name != "boolean":
            raise TypeError(f"a bool is not a key of type {type_name}")
        return "true" if value else "false"
    if type_name in _TEXT_TYPES:
        raise TypeError(f"a key of type {type_name} must be a str, not {type(value).__name__}")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if hasattr(value, "__index__"):  # int, enum.IntEnum, numpy integers
        return str(value.__index__())
    if isinstance(value, float):
        return repr(float(value))
    return str(value)


class KeyFunction:
    """A key function of the catalogue: key -> slot.

    types names the SQL types of the key's columns ("int8", or ["int8", "text"]); keys are then read
    as PostgreSQL reads them, and 42 and "42" are the same int8. Without types, functions that hash
    a text (ring, dorm, digest_mod, redis, rendezvous) take str(key), as the libraries that they
    reproduce do; the others take the SQL type that a driver gives the Python object, so that 42 is
    an int8 and "42" is a text.
    """

    def __init__(
        self,
        name: str,
        params: Union[Mapping[str, Any], str, None] = None,
        types: Union[str, Sequence[str], None] = None,
    ) -> None:
        self._name = name
        self._params = params if isinstance(params, str) else json.dumps(dict(params or {}))
        self._types: Optional[tuple[str, ...]] = None
        if types is not None:
            self._types = (types,) if isinstance(types, str) else tuple(types)
        self._by_types: dict[tuple[str, ...], _core.Function] = {}
        self._made(self._types or self._probe_types())

    def _probe_types(self) -> tuple[str, ...]:
        """Types under which the parameters can be checked before the first key is known."""
        if self._name in _TEXT_FUNCTIONS:
            for type_name in ("text", "uuid", "int8"):  # digest_mod of an int or a uuid
                try:
                    self._made((type_name,))
                except KeyFunctionError:
                    continue
                self._types = None if type_name == "text" else (type_name,)
                return (type_name,)
            return ("text",)
        return ("text",) if self._name in ("pgdog",) else ("int8",)

    def _made(self, types: tuple[str, ...]) -> _core.Function:
        found = self._by_types.get(types)
        if found is None:
            found = self._by_types[types] = _core.Function(self._name, self._params, types)
        return found

    def _resolve(self, key: object) -> tuple[_core.Function, list[Optional[str]]]:
        if self._types is None and self._name in _TEXT_FUNCTIONS:
            return self._made(("text",)), [str(key)]
        parts = list(key) if isinstance(key, (tuple, list)) else [key]
        types = self._types or tuple(_type_of(part) for part in parts)
        if len(parts) != len(types):
            raise ValueError(f"the key has {len(types)} columns, not {len(parts)}")
        return self._made(types), [_text_of(part, t) for part, t in zip(parts, types)]

    @property
    def name(self) -> str:
        return self._name

    @property
    def types(self) -> Optional[tuple[str, ...]]:
        return self._types

    @property
    def _any(self) -> _core.Function:
        return next(iter(self._by_types.values()))

    @property
    def slot_count(self) -> int:
        return self._any.slot_count

    @property
    def buckets(self) -> list[str]:
        """The places that the scheme itself names: nodes, remainders, ranges; or none."""
        return self._any.buckets

    @property
    def match_by_equality(self) -> bool:
        """Whether values that PostgreSQL calls equal always share a slot."""
        return self._any.match_by_equality

    def slot(self, key: object) -> int:
        function, texts = self._resolve(key)
        return function.slot(texts)

    def owner(self, key: object) -> str:
        """The name of the bucket that holds the key; empty if the scheme names none."""
        function, texts = self._resolve(key)
        return function.owner(texts)

    def hash(self, key: object) -> str:
        """The hash as the scheme's users know it: decimal, or hexadecimal for Vitess."""
        function, texts = self._resolve(key)
        return function.hash(texts)

    def preference(self, key: object) -> list[str]:
        """A ring's nodes in the order in which they are met from the key on."""
        function, texts = self._resolve(key)
        return function.preference(texts)

    def bucket_of(self, slot: int) -> Optional[int]:
        return self._any.bucket_of(slot)

    def slots(self, keys: npt.ArrayLike) -> npt.NDArray[np.uint32]:
        """The slots of many integer keys at once; the GIL is released meanwhile."""
        return self._made(self._types or ("int8",)).slots(_int64_array(keys))

    def __repr__(self) -> str:
        return f"KeyFunction({self._name!r}, {self._params}, types={self._types})"


def _int64_array(keys: npt.ArrayLike) -> npt.NDArray[np.int64]:
    import numpy

    array = numpy.asarray(keys)
    if array.dtype.kind not in "iu":
        raise TypeError(f"keys must be integers, not {array.dtype}")
    if array.dtype == numpy.uint64 and array.size and array.max() > numpy.iinfo(numpy.int64).max:
        raise OverflowError("a key does not fit int8")
    return numpy.ascontiguousarray(array, dtype=numpy.int64)


class Placement:
    """A key function, the owner of each slot, and pins: the whole way from a key to a shard's name.

    Without owners, a scheme's buckets go to the shards that bear their names, or else to the shards
    in order; a function without buckets deals its slots out in contiguous runs. owners gives the
    shard's name for every slot instead. pins maps keys to shards over their slots.
    """

    def __init__(
        self,
        function: KeyFunction,
        shards: Sequence[str],
        *,
        owners: Optional[Sequence[str]] = None,
        pins: Optional[Mapping[Any, str]] = None,
    ) -> None:
        if function.types is None and function.name not in _TEXT_FUNCTIONS:
            raise ValueError("a placement needs a key function with types=")
        self.function = function
        self.shard_names = list(shards)
        self._types = function.types or ("text",)
        place = {name: i for i, name in enumerate(self.shard_names)}
        self._core = _core.Placement(
            function._made(self._types),
            self.shard_names,
            None if owners is None else [place[name] for name in owners],
            [(self._canonical(key), place[shard]) for key, shard in (pins or {}).items()],
        )

    @classmethod
    def _of_catalog(
        cls,
        function: KeyFunction,
        shards: Sequence[str],
        owners: Sequence[Optional[str]],
        pins: Mapping[str, str],
    ) -> Placement:
        """As a catalog has it: slots may be without owner, pins are canonical texts already."""
        self = cls.__new__(cls)
        self.function = function
        self.shard_names = list(shards)
        self._types = function.types or ("text",)
        place = {name: i for i, name in enumerate(self.shard_names)}
        self._core = _core.Placement(
            function._made(self._types),
            self.shard_names,
            [-1 if name is None else place[name] for name in owners],
            [(key, place[shard]) for key, shard in pins.items()],
        )
        return self

    def _canonical(self, key: object) -> str:
        return _core.canonical(self._types, self.function._resolve(key)[1])

    @property
    def owners(self) -> list[str]:
        """The shard of each slot; empty names are slots that nobody owns."""
        return [self.shard_names[i] if i >= 0 else "" for i in self._core.owners]

    def shard(self, key: object) -> str:
        return self.shard_names[self._core.shard(self.function._resolve(key)[1])]

    def shards(self, keys: npt.ArrayLike) -> npt.NDArray[np.uint32]:
        """For many integer keys at once: indexes into shard_names."""
        return self._core.shards(_int64_array(keys))
