// Key functions, slot maps and placements.
#include "keys/function.h"

#include <gtest/gtest.h>

#include <set>

#include "keys/digest.h"
#include "keys/ring.h"
#include "keys/slot_map.h"

namespace shoal::keys {
namespace {

using FunctionPtr = std::shared_ptr<const KeyFunction>;

Result<FunctionPtr> make(std::string_view name, std::string_view params, KeyType type) {
  return make_key_function(name, params, std::span(&type, 1));
}

FunctionPtr must(std::string_view name, std::string_view params, KeyType type) {
  Result<FunctionPtr> f = make(name, params, type);
  EXPECT_TRUE(f) << (f ? "" : f.error().detail);
  return f ? *f : nullptr;
}

std::string why(std::string_view name, std::string_view params, KeyType type) {
  Result<FunctionPtr> f = make(name, params, type);
  return f ? "" : f.error().detail;
}

KeyValue of(KeyType type, std::string_view text) {
  return *parse_text(type, text);
}
KeyValue integer(std::int64_t n) {
  return KeyValue::of_integer(KeyType::kInt8, n);
}
KeyValue text(std::string_view s) {
  return KeyValue::of_bytes(KeyType::kText, std::string(s));
}

std::string owner(const KeyFunction& f, const KeyValue& key) {
  Result<Slot> slot = f.slot(key);
  return slot ? f.slot_owner_name(*slot) : slot.error().sqlstate;
}

TEST(Postgres, the_default_has_4096_slots_and_no_buckets) {
  FunctionPtr f = must("postgres", "", KeyType::kInt8);
  EXPECT_EQ(f->slot_count(), 4096u);
  EXPECT_EQ(f->bucket_count(), 0u);
  EXPECT_EQ(*f->describe(std::vector{integer(0)}), "901916981443598768");
  EXPECT_EQ(f->slot(integer(0))->value, 901916981443598768u % 4096);
}

TEST(Postgres, int2_int4_and_int8_hash_alike) {
  FunctionPtr f = must("postgres", "{}", KeyType::kInt8);
  EXPECT_EQ(*f->slot(of(KeyType::kInt2, "-42")), *f->slot(of(KeyType::kInt8, "-42")));
}

TEST(Postgres, a_value_of_another_family_is_refused_not_hashed) {
  FunctionPtr f = must("postgres", "{}", KeyType::kText);
  EXPECT_EQ(f->slot(integer(1)).error().sqlstate, "22P02");
  EXPECT_EQ(f->slot(std::vector<KeyValue>{text("a"), text("b")}).error().sqlstate, "22P02");
}

TEST(Postgres, mixed_moduli_map_to_partitions_and_holes_have_no_owner) {
  FunctionPtr f = must("postgres",
                       R"({"partitions": {"a": {"modulus": 2, "remainder": 0},
                                          "b": {"modulus": 4, "remainder": 1}}})",
                       KeyType::kInt8);
  EXPECT_EQ(f->slot_count(), 4u);
  EXPECT_EQ(f->slot_owner_name(Slot(2)), "a");
  EXPECT_EQ(f->slot_owner_name(Slot(1)), "b");
  EXPECT_EQ(f->slot_owner_name(Slot(3)), "");
  EXPECT_NE(why("postgres", R"({"partitions": {"a": {"modulus": 2, "remainder": 0},
                                               "b": {"modulus": 4, "remainder": 2}}})",
                KeyType::kInt8)
                .find("overlaps"),
            std::string::npos);
}

TEST(Modulo, every_flavour_has_its_own_remainder_of_a_negative_key) {
  EXPECT_EQ(owner(*must("mod_floor", R"({"n": 4})", KeyType::kInt8), integer(-1)), "3");
  EXPECT_EQ(owner(*must("mod_trunc", R"({"n": 4})", KeyType::kInt8), integer(-1)), "-1");
  EXPECT_EQ(owner(*must("mod_abs", R"({"n": 4})", KeyType::kInt8), integer(-1)), "1");
  EXPECT_EQ(owner(*must("mod_trunc", R"({"n": 4})", KeyType::kInt8), integer(-4)), "0");
}

TEST(Modulo, keys_beyond_64_bits_are_exact) {
  KeyValue big = of(KeyType::kNumeric, "340282366920938463463374607431768211457");  // 2^128 + 1
  EXPECT_EQ(owner(*must("mod_floor", R"({"n": 1000})", KeyType::kNumeric), big), "457");
  KeyValue half = of(KeyType::kNumeric, "0.5");
  EXPECT_EQ(owner(*must("mod_floor", R"({"n": 4})", KeyType::kNumeric), half), "22P02");
}

TEST(Modulo, slots_refine_buckets_without_moving_a_key) {
  for (const char* name : {"mod_floor", "mod_trunc", "mod_abs"}) {
    FunctionPtr plain = must(name, R"({"n": 3})", KeyType::kInt8);
    FunctionPtr fine = must(name, R"({"n": 3, "slots": 48})", KeyType::kInt8);
    for (std::int64_t key : {INT64_MIN, std::int64_t{-7}, std::int64_t{-1}, std::int64_t{0},
                             std::int64_t{100}, INT64_MAX}) {
      EXPECT_EQ(owner(*plain, integer(key)), owner(*fine, integer(key))) << name << " " << key;
    }
  }
  FunctionPtr plain = must("dorm", R"({"n": 4})", KeyType::kText);
  FunctionPtr fine = must("dorm", R"({"n": 4, "slots": 4096})", KeyType::kText);
  std::set<std::uint32_t> used;
  for (int i = 0; i < 1000; ++i) {
    KeyValue key = text("user-" + std::to_string(i));
    EXPECT_EQ(owner(*plain, key), owner(*fine, key));
    used.insert(fine->slot(key)->value);
  }
  EXPECT_GT(used.size(), 800u);  // the slots are really used
}

TEST(Jump, refined_slots_keep_the_bucket) {
  FunctionPtr plain = must("jump", R"({"n": 5})", KeyType::kInt8);
  FunctionPtr fine = must("jump", R"({"n": 5, "slots": 320})", KeyType::kInt8);
  for (std::int64_t key = -50; key < 1000; key += 7) {
    EXPECT_EQ(owner(*plain, integer(key)), owner(*fine, integer(key)));
  }
}

TEST(Ring, the_article_ring_has_480_arcs_owned_by_name) {
  FunctionPtr f = must("ring", R"({"nodes": ["5432", "5433", "5434"]})", KeyType::kVarchar);
  EXPECT_EQ(f->slot_count(), 480u);
  EXPECT_EQ(owner(*f, text("0OGWo")), "5433");
  EXPECT_EQ(owner(*f, text("Vlk97")), "5432");
}

TEST(Ring, a_key_that_is_a_points_own_text_belongs_to_the_next_point) {
  FunctionPtr f = must("ring", R"({"nodes": ["5432", "5433", "5434"]})", KeyType::kText);
  int elsewhere = 0;
  for (const char* node : {"5432", "5433", "5434"}) {
    for (int w = 0; w < 160; ++w) {
      elsewhere += owner(*f, text(fmt::format("{}-{}", node, w))) != node ? 1 : 0;
    }
  }
  EXPECT_EQ(elsewhere, 322);
}

TEST(Ring, a_new_node_takes_keys_and_no_other_key_moves) {
  FunctionPtr before = must("ring", R"({"nodes": ["a", "b", "c"]})", KeyType::kText);
  FunctionPtr after = must("ring", R"({"nodes": ["a", "b", "c", "d"]})", KeyType::kText);
  int moved = 0;
  for (int i = 0; i < 2000; ++i) {
    KeyValue key = text(std::to_string(i));
    std::string now = owner(*after, key);
    if (now == owner(*before, key)) continue;
    EXPECT_EQ(now, "d");
    ++moved;
  }
  EXPECT_GT(moved, 300);
}

TEST(Ring, weights_beside_a_list_are_the_weights_of_the_object_form) {
  FunctionPtr list = must("ring", R"({"nodes": ["a", "b"], "weights": {"b": 3}})", KeyType::kText);
  FunctionPtr object = must("ring", R"({"nodes": {"a": 1, "b": 3}})", KeyType::kText);
  EXPECT_EQ(list->slot_count(), 640u);
  for (std::uint32_t i = 0; i < 640; ++i) {
    EXPECT_EQ(list->slot_owner_name(Slot(i)), object->slot_owner_name(Slot(i)));
  }
  EXPECT_NE(why("ring", R"({"nodes": ["a"], "weights": {"x": 3}})", KeyType::kText), "");
}

TEST(Ring, coinciding_ketama_points_belong_to_the_later_node) {
  auto ring = [](std::vector<std::string> names) {
    std::vector<HashRing::Node> nodes;
    for (std::string& name : names) nodes.push_back({std::move(name), 1, 40});
    return HashRing::ketama(std::move(nodes), 4);
  };
  RingPosition shared{0, 1009926488 - 1};  // keys just before the shared point
  HashRing a = ring({"172.31.1.125", "172.31.1.202"}), b = ring({"172.31.1.202", "172.31.1.125"});
  EXPECT_EQ(a.nodes()[a.node_of(a.arc_of(shared))].name, "172.31.1.202");
  EXPECT_EQ(b.nodes()[b.node_of(b.arc_of(shared))].name, "172.31.1.125");
}

TEST(Ring, preference_starts_with_the_owner_and_names_each_node_once) {
  FunctionPtr f = must("ring", R"({"nodes": {"a": 1, "b": 2, "c": 0}})", KeyType::kText);
  KeyValue key = text("user-1");
  std::vector<std::string> names = *ring_preference(*f, std::span(&key, 1));
  EXPECT_EQ(names.size(), 2u);
  EXPECT_EQ(names[0], owner(*f, key));
}

TEST(Text, python_writes_bools_and_ints_its_own_way) {
  FunctionPtr of_bool = must("dorm", R"({"n": 1024})", KeyType::kBool);
  FunctionPtr of_text = must("dorm", R"({"n": 1024})", KeyType::kText);
  FunctionPtr of_int = must("dorm", R"({"n": 1024})", KeyType::kInt4);
  EXPECT_EQ(*of_bool->slot(of(KeyType::kBool, "t")), *of_text->slot(text("True")));
  EXPECT_EQ(*of_int->slot(of(KeyType::kInt4, "042")), *of_text->slot(text("42")));
}

TEST(Text, types_whose_python_text_is_unknown_are_refused) {
  for (KeyType type : {KeyType::kNumeric, KeyType::kFloat8, KeyType::kBytea, KeyType::kTimestamptz,
                       KeyType::kBpchar, KeyType::kTimestamp}) {
    EXPECT_EQ(why("dorm", R"({"n": 4})", type).substr(0, 6), "SH0702") << type_name(type);
  }
  EXPECT_EQ(why("dorm", R"({"n": 4, "text_form": "postgres"})", KeyType::kTimestamptz).substr(0, 6),
            "SH0702");
}

TEST(Text, the_text_of_numeric_gives_no_match_by_equality) {
  FunctionPtr f = must("dorm", R"({"n": 4, "text_form": "postgres"})", KeyType::kNumeric);
  EXPECT_FALSE(f->match_by_equality());
  EXPECT_TRUE(must("postgres", "{}", KeyType::kNumeric)->match_by_equality());
  EXPECT_TRUE(must("dorm", R"({"n": 4})", KeyType::kText)->match_by_equality());
}

TEST(Refusals, unknown_names_parameters_and_nulls_say_so) {
  EXPECT_EQ(why("md5sum", "{}", KeyType::kText), "SH0702: there is no key function \"md5sum\"");
  EXPECT_EQ(why("mod_floor", R"({"n": 4, "slotz": 8})", KeyType::kInt8),
            "SH0702: mod_floor: unknown parameter \"slotz\"");
  EXPECT_EQ(why("mod_floor", R"({"n": 4, "slots": 9})", KeyType::kInt8),
            "SH0702: mod_floor: slots must be a multiple of 4");
  EXPECT_EQ(why("mod_floor", "{}", KeyType::kInt8),
            "SH0702: mod_floor: n, the number of buckets, is missing");
  EXPECT_EQ(why("mod_floor", "[", KeyType::kInt8),
            "SH0702: mod_floor: the parameters are not a JSON object");
  EXPECT_NE(why("mod_floor", R"({"n": 0})", KeyType::kInt8), "");
  EXPECT_NE(why("mod_floor", R"({"n": 4})", KeyType::kText), "");
  EXPECT_NE(why("plproxy", R"({"n": 3})", KeyType::kText), "");
  EXPECT_NE(why("ring", R"({"nodes": {"a": 0}})", KeyType::kText), "");
  EXPECT_NE(why("ring", R"({"nodes": {"a": 1.5}})", KeyType::kText), "");
  EXPECT_NE(why("vitess", R"({"vindex": "hash", "shards": ["-40", "80-"]})", KeyType::kInt8), "");
  FunctionPtr f = must("mod_floor", R"({"n": 4})", KeyType::kInt8);
  EXPECT_EQ(f->slot(KeyValue::null(KeyType::kInt8)).error().sqlstate, "23502");
}

TEST(Refusals, sql_abs_of_the_smallest_integer_is_out_of_range_as_in_postgresql) {
  // The hash of 963809240 is -2147483648.
  auto with = [](const char* reduce) {
    return must("digest_mod",
                fmt::format(R"({{"digest": "hashtext", "reduce": "{}", "n": 3}})", reduce),
                KeyType::kInt8);
  };
  EXPECT_EQ(*with("sql_abs")->describe(std::vector{integer(963809240)}), "-2147483648");
  EXPECT_EQ(owner(*with("sql_abs"), integer(963809240)), "22003");
  EXPECT_EQ(owner(*with("abs"), integer(963809240)), "2");
  EXPECT_EQ(owner(*with("trunc"), integer(963809240)), "-2");
}

TEST(Citus, imported_intervals_may_be_irregular_and_have_holes) {
  FunctionPtr f = must("citus",
                       R"({"intervals": [["-2147483648", "-1905060027"],
                                         ["-1905060026", "-1905060026"], [0, 2147483647]]})",
                       KeyType::kInt8);
  EXPECT_EQ(owner(*f, integer(1)), "1");      // hash -1905060026
  EXPECT_EQ(owner(*f, integer(3)), "22023");  // hash -28094569: no shard
  EXPECT_EQ(owner(*f, integer(2)), "2");      // hash 1134484726
}

TEST(Vitess, keyspace_ids_fall_into_the_named_ranges) {
  FunctionPtr f =
      must("vitess", R"({"vindex": "hash", "shards": ["-40", "40-80", "80-"]})", KeyType::kInt8);
  EXPECT_EQ(*f->describe(std::vector{integer(1)}), "166b40b44aba4bd6");
  EXPECT_EQ(owner(*f, integer(1)), "-40");
  EXPECT_EQ(owner(*f, integer(6)), "80-");  // f098480ac4c4be71
}

TEST(Spqr, negative_uintegers_are_refused_because_spqr_places_them_twice) {
  FunctionPtr f = must("spqr", R"({"hash": "murmur", "bounds": [0]})", KeyType::kInt8);
  EXPECT_EQ(owner(*f, integer(-1)), "22P02");
  EXPECT_EQ(owner(*must("spqr", R"({"hash": "murmur", "types": ["integer"], "bounds": [0]})",
                        KeyType::kInt8),
                  integer(-1)),
            "0");
}

TEST(Range, bounds_are_typed_and_inclusive_below) {
  FunctionPtr f = must("range", R"({"bounds": [0, "1000"]})", KeyType::kInt4);
  EXPECT_EQ(f->slot(of(KeyType::kInt4, "-1"))->value, 0u);
  EXPECT_EQ(f->slot(of(KeyType::kInt4, "0"))->value, 1u);
  EXPECT_EQ(f->slot(of(KeyType::kInt4, "999"))->value, 1u);
  EXPECT_EQ(f->slot(of(KeyType::kInt4, "1000"))->value, 2u);
  KeyValue low = of(KeyType::kInt4, "5"), high = of(KeyType::kInt4, "1000");
  EXPECT_EQ(f->slots_between(&low, &high)->first.value, 1u);
  EXPECT_EQ(f->slots_between(&low, &high)->last.value, 2u);
  EXPECT_EQ(f->slots_between(nullptr, &low)->first.value, 0u);
  EXPECT_NE(why("range", R"({"bounds": [10, 5]})", KeyType::kInt4), "");
  EXPECT_NE(why("range", R"({"bounds": ["x"]})", KeyType::kInt4), "");
}

TEST(Range, text_is_ordered_by_bytes_and_prunes_only_under_collation_c) {
  KeyValue a = text("a"), b = text("b");
  EXPECT_FALSE(must("range", R"({"bounds": ["m"]})", KeyType::kText)->slots_between(&a, &b));
  EXPECT_TRUE(must("range", R"({"bounds": ["m"], "collation": "C"})", KeyType::kText)
                  ->slots_between(&a, &b));
}

TEST(List, unlisted_values_need_a_default) {
  FunctionPtr f = must("list", R"({"values": [["de", "at"], ["us"]]})", KeyType::kText);
  EXPECT_EQ(owner(*f, text("at")), "0");
  EXPECT_EQ(owner(*f, text("us")), "1");
  EXPECT_EQ(owner(*f, text("fr")), "22023");
  EXPECT_EQ(
      owner(*must("list", R"({"values": [["de"]], "default": true})", KeyType::kText), text("fr")),
      "1");
  EXPECT_NE(why("list", R"({"values": [["1.0"], ["1.00"]]})", KeyType::kNumeric), "");
}

// ---- maps and placements ----------------------------------------------------------------------

std::vector<NamedShard> shards(std::initializer_list<const char*> names) {
  std::vector<NamedShard> out;
  for (const char* name : names) out.push_back({name, ShardId(static_cast<int>(out.size()) + 1)});
  return out;
}

TEST(SlotMap, contiguous_runs_differ_by_one_at_most) {
  std::vector<ShardId> ids = {ShardId(1), ShardId(2), ShardId(3)};
  SlotMap map = SlotMap::contiguous(4096, ids);
  EXPECT_EQ(map.slots_of(ShardId(1)).size(), 1366u);
  EXPECT_EQ(map.slots_of(ShardId(2)).size(), 1365u);
  EXPECT_EQ(map.slots_of(ShardId(3)).size(), 1365u);
  EXPECT_TRUE(std::is_sorted(map.owners().begin(), map.owners().end()));
}

TEST(SlotMap, buckets_find_shards_by_name_before_position) {
  FunctionPtr ring = must("ring", R"({"nodes": ["5434", "5432"]})", KeyType::kText);
  SlotMap map = *SlotMap::for_function(*ring, shards({"5432", "5433", "5434"}));
  for (std::uint32_t i = 0; i < map.slot_count(); ++i) {
    EXPECT_EQ(map.owner(Slot(i)),
              ring->slot_owner_name(Slot(i)) == "5432" ? ShardId(1) : ShardId(3));
  }
  FunctionPtr mod = must("mod_floor", R"({"n": 2, "slots": 8})", KeyType::kInt8);
  SlotMap by_position = *SlotMap::for_function(*mod, shards({"s1", "s2"}));
  EXPECT_EQ(by_position.owner(Slot(5)), ShardId(2));
}

TEST(SlotMap, too_few_shards_or_half_known_names_are_refused) {
  FunctionPtr mod = must("mod_floor", R"({"n": 4})", KeyType::kInt8);
  EXPECT_EQ(SlotMap::for_function(*mod, shards({"a", "b"})).error().detail.substr(0, 6), "SH0504");
  FunctionPtr ring = must("ring", R"({"nodes": ["a", "x"]})", KeyType::kText);
  EXPECT_NE(SlotMap::for_function(*ring, shards({"a", "b"})).error().detail.find("\"x\""),
            std::string::npos);
  EXPECT_FALSE(SlotMap::for_function(*mod, {}));
}

TEST(SlotMap, negative_remainders_get_no_shard_by_position) {
  FunctionPtr f = must("mod_trunc", R"({"n": 2})", KeyType::kInt8);
  Placement placement{f, *SlotMap::for_function(*f, shards({"a", "b"})), {}};
  EXPECT_EQ(*placement.place(integer(3)), ShardId(2));
  EXPECT_EQ(*placement.place(integer(-2)), ShardId(1));
  EXPECT_EQ(placement.place(integer(-3)).error().detail,
            "SH0504: slot 3 (bucket -1) is not assigned to a shard");
}

TEST(Placement, a_pin_goes_before_the_slot_for_every_spelling_of_the_key) {
  FunctionPtr f = must("postgres", "{}", KeyType::kNumeric);
  Placement placement{f, *SlotMap::for_function(*f, shards({"a", "b"})), {}};
  KeyValue key = of(KeyType::kNumeric, "42.00");
  placement.pins.set(std::span(&key, 1), ShardId(9));
  EXPECT_EQ(*placement.place(of(KeyType::kNumeric, "42")), ShardId(9));
  EXPECT_EQ(placement.shards(), (std::vector{ShardId(1), ShardId(2), ShardId(9)}));
  EXPECT_TRUE(placement.pins.erase("42"));
  EXPECT_NE(*placement.place(of(KeyType::kNumeric, "42")), ShardId(9));
}

TEST(Placement, a_range_of_keys_includes_every_pin) {
  FunctionPtr f = must("range", R"({"bounds": [100, 200]})", KeyType::kInt8);
  Placement placement{f, *SlotMap::for_function(*f, shards({"a", "b", "c"})), {}};
  placement.pins.set("150", ShardId(3));
  KeyValue low = integer(110), high = integer(120);
  EXPECT_EQ(*placement.place_between(&low, &high), (std::vector{ShardId(2), ShardId(3)}));
}

// ---- hashes against published test values ----------------------------------------------------

TEST(Digest, published_values_hold) {
  EXPECT_EQ(crc16_xmodem("123456789"), 0x31C3);
  EXPECT_EQ(crc32("123456789"), 0xCBF43926u);
  EXPECT_EQ(xxh64(""), 0xEF46DB3751D8E999u);
  EXPECT_EQ(murmur3_32("Hello, world!"), 3224780355u);
  EXPECT_EQ(des_null_key(1), 0x166B40B44ABA4BD6u);
  auto hex = [](const std::string& bytes) {
    std::string out;
    for (char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return out;
  };
  // RFC 7693, appendix A
  EXPECT_EQ(hex(blake2b("abc", "", 64)),
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
            "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
  EXPECT_EQ(hex(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(base64("a"), "YQ==");
}

}  // namespace
}  // namespace shoal::keys
