// Ranges in every spelling, lists and directories: which slot, and what is refused.
#include <gtest/gtest.h>

#include "keys/function.h"
#include "keys/slot_map.h"

namespace shoal::keys {
namespace {

using Types = std::vector<KeyType>;

Result<std::shared_ptr<const KeyFunction>> make(std::string_view name, std::string_view params,
                                                const Types& types) {
  return make_key_function(name, params, types);
}

// The place of a key by name; "refused" without one.
std::string place(const KeyFunction& f, const Types& types, std::vector<std::string> texts) {
  std::vector<KeyValue> key;
  for (std::size_t i = 0; i < texts.size(); ++i) key.push_back(*parse_text(types[i], texts[i]));
  const auto slot = f.slot(key);
  return slot ? f.slot_owner_name(*slot) : "refused";
}

std::string why(std::string_view name, std::string_view params, const Types& types) {
  const auto made = make(name, params, types);
  return made ? "" : made.error().detail;
}

TEST(Range, open_and_closed_ends_hold_what_postgresql_says) {
  const Types types{KeyType::kInt4};
  const auto f = make(
      "range", R"j({"ranges": {"a": "(,10)", "b": ["[10,20]", "(30,40)"], "c": "[50,)"}})j", types);
  ASSERT_TRUE(f) << f.error().detail;
  const auto at = [&](const char* key) { return place(**f, types, {key}); };
  EXPECT_EQ(at("-5"), "a");
  EXPECT_EQ(at("9"), "a");
  EXPECT_EQ(at("10"), "b");
  EXPECT_EQ(at("20"), "b");
  EXPECT_EQ(at("21"), "refused");
  EXPECT_EQ(at("30"), "refused");
  EXPECT_EQ(at("31"), "b");
  EXPECT_EQ(at("40"), "refused");
  EXPECT_EQ(at("50"), "c");
  EXPECT_EQ((*f)->slot_count(), 4u);
}

TEST(Range, what_no_range_holds_goes_to_the_default_and_between_includes_it) {
  const Types types{KeyType::kDate};
  const auto f =
      make("range",
           R"j({"ranges": [{"from": "2024-01-01", "to": "2024-12-31", "to_inclusive": true,
                          "name": "y24"}], "default": "rest"})j",
           types);
  ASSERT_TRUE(f) << f.error().detail;
  EXPECT_EQ(place(**f, types, {"2024-12-31"}), "y24");
  EXPECT_EQ(place(**f, types, {"2025-01-01"}), "rest");
  const auto between = [&](const char* low, const char* high) {
    const KeyValue a = *parse_text(types[0], low), b = *parse_text(types[0], high);
    const auto r = (*f)->slots_between(&a, &b);
    return fmt::format("{}-{}", r->first.value, r->last.value);
  };
  EXPECT_EQ(between("2024-02-01", "2024-03-01"), "0-0");
  EXPECT_EQ(between("2024-02-01", "2025-03-01"), "0-1");
  EXPECT_EQ(between("2026-02-01", "2026-03-01"), "1-1");
}

TEST(Range, between_never_leaves_a_key_out) {
  const Types types{KeyType::kInt4};
  for (const char* params : {R"j({"bounds": [0, 7, 13]})j",
                             R"j({"ranges": ["[-5,3)", "[3,4]", "(6,9)"], "default": true})j",
                             R"j({"ranges": ["(,0]", "(0,5)", "[9,)"]})j"}) {
    const auto f = make("range", params, types);
    ASSERT_TRUE(f) << params << f.error().detail;
    for (int low = -8; low < 16; ++low) {
      for (int high = low; high < 16; ++high) {
        const KeyValue a = KeyValue::of_integer(types[0], low);
        const KeyValue b = KeyValue::of_integer(types[0], high);
        const auto r = (*f)->slots_between(&a, &b);
        ASSERT_TRUE(r);
        for (int k = low; k <= high; ++k) {
          const auto slot = (*f)->slot(KeyValue::of_integer(types[0], k));
          if (!slot) continue;
          EXPECT_TRUE(r->first <= *slot && *slot <= r->last) << params << low << high << k;
        }
      }
    }
  }
}

TEST(Range, equal_steps_of_time_are_dealt_out_in_turn) {
  const Types types{KeyType::kTimestamptz};
  const auto f = make("range", R"j({"start": "2023-10-31", "every": "1 month", "count": 6,
                                   "names": ["hot", "cold"]})j",
                      types);
  ASSERT_TRUE(f) << f.error().detail;
  const auto at = [&](const char* key) { return place(**f, types, {key}); };
  EXPECT_EQ(at("2023-10-30 23:59:59+00"), "refused");
  EXPECT_EQ(at("2023-11-29 23:59:59+00"), "hot");
  EXPECT_EQ(at("2023-11-30 00:00:00+00"), "cold") << "November has 30 days";
  EXPECT_EQ(at("2024-02-28 23:59:59+00"), "cold");
  EXPECT_EQ(at("2024-02-29 00:00:00+00"), "hot") << "a leap year";
  EXPECT_EQ(at("2024-04-30 00:00:00+00"), "refused");
  const Types days{KeyType::kDate};
  const auto weeks =
      make("range", R"j({"start": "1999-12-27", "every": "1 week", "count": 3})j", days);
  ASSERT_TRUE(weeks);
  EXPECT_EQ(place(**weeks, days, {"2000-01-02"}), "0");
  EXPECT_EQ(place(**weeks, days, {"2000-01-03"}), "1");
  const Types ints{KeyType::kInt4};
  const auto steps = make("range", R"j({"start": -10, "every": 5, "count": 4})j", ints);
  ASSERT_TRUE(steps);
  EXPECT_EQ(place(**steps, ints, {"-6"}), "0");
  EXPECT_EQ(place(**steps, ints, {"9"}), "3");
}

TEST(Range, keys_of_several_columns_are_ordered_like_rows) {
  const Types types{KeyType::kText, KeyType::kInt4};
  const auto f = make("range", R"j({"bounds": [["eu", 100], ["us", 0]], "names": ["x", "y", "z"],
                                   "collation": "C"})j",
                      types);
  ASSERT_TRUE(f) << f.error().detail;
  EXPECT_EQ(place(**f, types, {"eu", "99"}), "x");
  EXPECT_EQ(place(**f, types, {"eu", "100"}), "y");
  EXPECT_EQ(place(**f, types, {"f", "-7"}), "y");
  EXPECT_EQ(place(**f, types, {"us", "0"}), "z");
  const KeyValue eu = *parse_text(types[0], "eu");
  const auto r = (*f)->slots_between(&eu, &eu);
  ASSERT_TRUE(r);
  EXPECT_EQ(r->first.value, 0u);
  EXPECT_EQ(r->last.value, 1u);
}

TEST(Range, what_makes_no_sense_is_refused) {
  const Types types{KeyType::kInt4};
  EXPECT_EQ(why("range", R"j({"ranges": ["[1,5)", "[4,9)"]
})j",
                types),
            "SH0702: range: two ranges overlap");
  EXPECT_EQ(why("range", R"j({"ranges": ["[1,5]", "[5,9)"]
})j",
                types),
            "SH0702: range: two ranges overlap");
  EXPECT_EQ(why("range", R"j({"ranges": ["[5,5)"]
})j",
                types),
            "SH0702: range: a range is empty");
  EXPECT_NE(why("range", R"j({"ranges": ["5..9"]})j", types), "");
  EXPECT_NE(why("range", R"j({"ranges": ["[1,2,3)"]
  })j",
                types),
            "");
  EXPECT_NE(why("range", R"j({"ranges": [{"from": 1, "til": 5}]})j", types), "");
  EXPECT_NE(why("range", R"j({"ranges": []})j", types), "");
  EXPECT_NE(why("range", R"j({"bounds": [1], "ranges": ["[1,2)"]
  })j",
                types),
            "");
  EXPECT_NE(why("range", R"j({"start": 0, "every": "1 month", "count": 3})j", types), "");
  EXPECT_NE(why("range", R"j({"start": 2147483640, "every": 5, "count": 4})j", types), "");
  EXPECT_NE(why("range", R"j({"start": 1, "every": 5})j", types), "");
  EXPECT_NE(why("range", R"j({"bounds": [["a"]]})j", {KeyType::kText, KeyType::kInt4}), "");
}

TEST(List, groups_may_be_named_by_their_shard_and_hold_several_columns) {
  const Types types{KeyType::kText};
  const auto f =
      make("list", R"j({"values": {"s1": ["de", "at"], "s2": ["us"]}, "default": "s3"})j", types);
  ASSERT_TRUE(f) << f.error().detail;
  EXPECT_EQ(place(**f, types, {"at"}), "s1");
  EXPECT_EQ(place(**f, types, {"us"}), "s2");
  EXPECT_EQ(place(**f, types, {"jp"}), "s3");
  const Types two{KeyType::kText, KeyType::kInt4};
  const auto g = make("list", R"j({"values": [[["de", 1], ["de", 2]], [["us", 1]]]})j", two);
  ASSERT_TRUE(g) << g.error().detail;
  EXPECT_EQ(place(**g, two, {"de", "2"}), "0");
  EXPECT_EQ(place(**g, two, {"us", "1"}), "1");
  EXPECT_EQ(place(**g, two, {"us", "2"}), "refused");
  EXPECT_NE(why("list", R"j({"values": [["de"]]})j", two), "");
  EXPECT_NE(why("list", R"j({"values": {"s1": "de"}})j", types), "");
}

TEST(Directory, keys_have_no_place_until_they_are_pinned) {
  const Types types{KeyType::kInt8};
  const std::vector<NamedShard> shards{{"s1", ShardId(1)}, {"s2", ShardId(2)}};
  const auto f = make("directory", "{}", types);
  ASSERT_TRUE(f);
  auto map = SlotMap::for_function(**f, shards);
  ASSERT_TRUE(map) << map.error().detail;
  Placement placement{*f, *map, {}};
  const KeyValue key = KeyValue::of_integer(types[0], 7);
  EXPECT_FALSE(placement.place(key));
  placement.pins.set(std::span(&key, 1), ShardId(2));
  EXPECT_EQ(placement.place(key).value(), ShardId(2));
  const auto g = make("directory", R"j({"default": "s1"})j", types);
  ASSERT_TRUE(g);
  map = SlotMap::for_function(**g, shards);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->owner(Slot(0)), ShardId(1));
  EXPECT_NE(why("directory", R"j({"default": true})j", types), "");
}

}  // namespace
}  // namespace shoal::keys
