"""Key functions, shard_for and placements from Python."""

import datetime
import decimal
import enum
import hashlib
import json
import pathlib
import time
import uuid

import pytest

import shoal

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "tests/data/key-vectors.jsonl"


def blake2b_shard(key, shards, salt=b"dorm-shard"):
    digest = hashlib.blake2b(str(key).encode(), key=salt, digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards


class Color(enum.Enum):
    RED = 1


KEYS = [
    0,
    1,
    -7,
    2**80,
    "user-0",
    "",
    "ñandú",
    "x" * 300,
    True,
    1.0,
    1e22,
    decimal.Decimal("1.50"),
    uuid.UUID(int=7),
    datetime.date(2024, 1, 2),
    b"abc",
    (1, 2),
    Color.RED,
    datetime.datetime(2024, 1, 2, 3, 4, 5, 678901, datetime.timezone.utc),
]


@pytest.mark.parametrize("key", KEYS, ids=repr)
@pytest.mark.parametrize("salt", [b"dorm-shard", b"", b"k" * 64])
def test_shard_for_is_keyed_blake2b_of_the_text_of_any_object(key, salt):
    for shards in (1, 2, 3, 4, 8, 16, 1000):
        assert shoal.shard_for(key, shards, salt=salt) == blake2b_shard(key, shards, salt)


def test_shard_for_agrees_with_the_recorded_placements():
    checked = 0
    for line in VECTORS.open(encoding="utf-8"):
        record = json.loads(line)
        if record["function"] != "dorm.shard_for":
            continue
        params = record["params"]
        aliases = params["aliases"] or shoal.shard_aliases(params["num_shards"])
        salt = bytes.fromhex(params["salt_hex"])
        assert (
            shoal.shard_for(record["key"], params["num_shards"], aliases=aliases, salt=salt)
            == record["expected"]
        )
        checked += 1
    assert checked == 1032


def test_shard_for_refuses_what_the_original_refuses():
    for arguments, options in [
        ((None, 4), {}),
        (("a", 0), {}),
        (("a", -1), {}),
        (("a", 2), {"aliases": ["x"]}),
        (("a", 2), {"salt": b"s" * 65}),
    ]:
        with pytest.raises(ValueError):
            shoal.shard_for(*arguments, **options)
    with pytest.raises(TypeError):
        shoal.shard_for("a", 2, salt="text")


def test_rings_agree_with_the_recorded_placements():
    functions, checked = {}, 0
    for line in VECTORS.open(encoding="utf-8"):
        record = json.loads(line)
        if record["function"] != "uhashring":
            continue
        wanted = ("nodes", "vnodes", "hash_fn", "replicas")
        params = json.dumps(
            {k: v for k, v in record["params"].items() if k in wanted and v is not None}
        )
        ring = functions.setdefault(params, shoal.KeyFunction("ring", params))
        assert ring.owner(record["key"]) == str(record["expected"])
        checked += 1
    assert checked == 2705


def test_a_ring_names_its_nodes_in_the_order_of_preference():
    ring = shoal.KeyFunction("ring", {"nodes": ["5432", "5433", "5434", "5435"]})
    assert ring.preference("user-0") == ["5432", "5434", "5433", "5435"]
    assert ring.owner("user-0") == "5432"
    assert ring.slot_count == 640 and ring.buckets == ["5432", "5433", "5434", "5435"]


def test_text_functions_take_str_of_the_object():
    ring = shoal.KeyFunction("ring", {"nodes": ["5432", "5433", "5434"]})
    for key in (42, 1.0, True, None, decimal.Decimal("1.50"), uuid.UUID(int=1)):
        assert ring.slot(key) == ring.slot(str(key))


def test_sql_types_decide_how_a_key_is_read():
    typed = shoal.KeyFunction("postgres", {"slots": 4096}, "int8")
    assert typed.slot(42) == typed.slot("42") == typed.slot(" +042 ")
    assert typed.hash(0) == "901916981443598768"
    by_object = shoal.KeyFunction("postgres", {"slots": 4096})
    assert by_object.slot(42) == typed.slot(42) != by_object.slot("42")
    key = uuid.UUID("018f4b8e-37f0-7cc4-b5f2-0f62d09ca662")
    by_uuid = shoal.KeyFunction("postgres", {}, "uuid")
    assert by_uuid.slot(key) == by_uuid.slot(str(key).upper()) == by_object.slot(key)
    with pytest.raises(TypeError):
        shoal.KeyFunction("postgres", {}, "text").slot(42)
    with pytest.raises(TypeError):
        typed.slot(True)


def test_dates_and_decimals_hash_as_postgresql_does():
    date = shoal.KeyFunction("postgres", {"modulus": 4}, "date")
    assert date.hash(datetime.date(2000, 1, 1)) == "901916981443598768"
    stamp = shoal.KeyFunction("postgres", {}, "timestamptz")
    zone = datetime.timezone(datetime.timedelta(hours=2))
    assert stamp.slot(datetime.datetime(2025, 6, 1, 12, 0, tzinfo=zone)) == stamp.slot(
        "2025-06-01 10:00:00+00"
    )
    number = shoal.KeyFunction("postgres", {}, "numeric")
    assert (
        number.slot(decimal.Decimal("1.0"))
        == number.slot(decimal.Decimal("1.00"))
        == number.slot(1)
    )


def test_composite_keys_are_tuples():
    both = shoal.KeyFunction("postgres", {"modulus": 4}, ["int8", "text"])
    assert both.hash((1, "a")) == "5168779851758693317"
    assert both.owner((1, "a")) == "1"
    with pytest.raises(ValueError):
        both.slot((1,))


def test_errors_carry_sqlstate_detail_and_hint():
    with pytest.raises(shoal.KeyFunctionError) as caught:
        shoal.KeyFunction("postgres", {}, "int4").slot("99999999999")
    assert caught.value.sqlstate == "22003"
    assert isinstance(caught.value, ValueError)
    with pytest.raises(shoal.KeyFunctionError) as caught:
        shoal.KeyFunction("mod_floor", {"n": 4, "slotz": 1})
    assert caught.value.detail == 'SH0702: mod_floor: unknown parameter "slotz"'
    assert caught.value.hint


def test_digests_of_ints_and_uuids_need_no_types():
    key = uuid.UUID(int=2**127 + 5)
    assert shoal.KeyFunction("digest_mod", {"digest": "uuid_int", "n": 7}).owner(key) == str(
        key.int % 7
    )
    python_hash = shoal.KeyFunction("digest_mod", {"digest": "python_int", "n": 16})
    for number in (-1, -2, 2**61 - 1, 2**61, -(2**63)):
        assert python_hash.hash(number) == str(hash(number))
        assert python_hash.owner(number) == str(hash(number) % 16)


def test_arrays_give_the_same_slots_as_single_keys_at_a_million_per_second():
    numpy = pytest.importorskip("numpy")
    keys = numpy.concatenate([numpy.arange(-500, 500), numpy.array([-(2**63), 2**63 - 1])])
    many = numpy.tile(numpy.arange(200_000, dtype=numpy.int64), 5)
    for name, params in [
        ("postgres", {}),
        ("mod_floor", {"n": 4, "slots": 64}),
        ("mod_trunc", {"n": 4}),
        ("dorm", {"n": 4}),
        ("citus", {"n": 32}),
        ("jump", {"n": 5}),
        ("ring", {"nodes": ["a", "b", "c"]}),
    ]:
        function = shoal.KeyFunction(name, params, "int8")
        assert function.slots(keys).tolist() == [function.slot(int(k)) for k in keys]
        # The best of several runs: other programs may use the processor meanwhile.
        best = min(_seconds(function.slots, many) for _ in range(5))
        assert len(many) / best >= 1_000_000, f"{name}: {len(many) / best:.0f} keys per second"


def _seconds(call, argument):
    start = time.perf_counter()
    call(argument)
    return time.perf_counter() - start


def test_arrays_of_other_things_are_refused():
    numpy = pytest.importorskip("numpy")
    function = shoal.KeyFunction("postgres", {}, "int8")
    assert function.slots(numpy.array([3, 4], dtype=numpy.int16)).tolist() == [
        function.slot(3),
        function.slot(4),
    ]
    assert function.slots(numpy.arange(10)[::2]).tolist() == [
        function.slot(i) for i in range(0, 10, 2)
    ]
    with pytest.raises(TypeError):
        function.slots(numpy.array([1.5]))
    with pytest.raises(OverflowError):
        function.slots(numpy.array([2**63], dtype=numpy.uint64))
    with pytest.raises(shoal.KeyFunctionError):
        shoal.KeyFunction("postgres", {}, "text").slots(numpy.array([1]))


def test_placements_follow_names_positions_owners_and_pins():
    ring = shoal.KeyFunction("ring", {"nodes": ["b", "a"]})
    assert shoal.Placement(ring, ["a", "b", "c"]).shard("user-1") == ring.owner("user-1")
    modulo = shoal.KeyFunction("mod_floor", {"n": 2, "slots": 8}, "int8")
    placement = shoal.Placement(modulo, ["s1", "s2"], pins={123: "s1"})
    assert [placement.shard(k) for k in (456, 457, 123, "123")] == ["s1", "s2", "s1", "s1"]
    moved = shoal.Placement(modulo, ["s1", "s2", "s3"], owners=placement.owners[:-1] + ["s3"])
    assert [moved.shard(k) for k in (0, 1, 7, 15)] == ["s1", "s2", "s3", "s3"]
    assert moved.owners[-1] == "s3"
    with pytest.raises(shoal.KeyFunctionError):
        shoal.Placement(modulo, ["only"])


def test_placements_take_arrays():
    numpy = pytest.importorskip("numpy")
    function = shoal.KeyFunction("postgres", {}, "int8")
    placement = shoal.Placement(function, ["s1", "s2", "s3", "s4"])
    keys = numpy.arange(1000)
    names = [placement.shard_names[i] for i in placement.shards(keys)]
    assert names == [placement.shard(int(k)) for k in keys]
    assert len(set(names)) == 4


def test_the_catalogue_of_functions_is_listed():
    assert {"postgres", "ring", "dorm", "mod_floor", "citus", "range", "list"} <= set(
        shoal.function_names()
    )
