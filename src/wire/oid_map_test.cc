// Claims about replacing oids in messages and binary values.
#include "wire/oid_map.h"

#include <gtest/gtest.h>

#include "wire/backend.h"
#include "wire/bytes.h"
#include "wire/frontend.h"

namespace shoal::wire {
namespace {

// On the shard 20001 mood, 20002 mood[], 20003 pt (x int, m mood), 20004 pt[], 20005 range of pt,
// 20006 its multirange, 20007 domain over pt, relation 20010; on home the same, 10000 higher.
constexpr std::uint32_t kMood = 20001, kMoods = 20002, kPoint = 20003, kPoints = 20004,
                        kRange = 20005, kMultirange = 20006, kDomain = 20007, kTable = 20010;
constexpr std::uint32_t kUp = 10000;

OidMap example() {
  OidMap map;
  const std::pair<std::uint32_t, MappedType> types[] = {
      {kMood, {0, OidShape::kNone, 0}},        {kMoods, {0, OidShape::kArray, 0}},
      {kPoint, {0, OidShape::kRecord, 0}},     {kPoints, {0, OidShape::kArray, 0}},
      {kRange, {0, OidShape::kRange, kPoint}}, {kMultirange, {0, OidShape::kMultirange, kRange}},
      {kDomain, {0, OidShape::kRecord, 0}}};
  for (auto [oid, type] : types) {
    type.other = oid + kUp;
    map.to_home.add_type(oid, type);
    type.other = oid;
    if (type.inner != 0) type.inner += kUp;
    map.to_shard.add_type(oid + kUp, type);
  }
  map.to_home.add_relation(kTable, kTable + kUp);
  map.to_shard.add_relation(kTable + kUp, kTable);
  return map;
}

std::string value(std::optional<std::string> bytes) {
  std::string out;
  append_u32(out, bytes ? static_cast<std::uint32_t>(bytes->size()) : UINT32_MAX);
  return out + bytes.value_or("");
}
std::string array(std::uint32_t element, std::vector<std::optional<std::string>> members) {
  std::string out;
  append_u32(out, members.empty() ? 0 : 1);
  append_u32(out, 1);
  append_u32(out, element);
  if (members.empty()) return out;
  append_u32(out, static_cast<std::uint32_t>(members.size()));
  append_u32(out, 1);
  for (auto& member : members) out += value(std::move(member));
  return out;
}
using Field = std::pair<std::uint32_t, std::optional<std::string>>;
std::string record(const std::vector<Field>& fields) {
  std::string out;
  append_u32(out, static_cast<std::uint32_t>(fields.size()));
  for (const auto& [type, bytes] : fields) {
    append_u32(out, type);
    out += value(bytes);
  }
  return out;
}
std::string point(std::uint32_t up) {
  return record({{23, std::string("\0\0\0\7", 4)}, {kMood + up, "happy"}});
}

Bytes bytes_of(std::string& text) {
  return {text.data(), text.size()};
}

struct ValueCase {
  const char* name;
  std::uint32_t type;
  std::string (*make)(std::uint32_t up);
};
const ValueCase kValues[] = {
    {"an enum has none", kMood, [](std::uint32_t) { return std::string("happy"); }},
    {"an array of enums", kMoods,
     [](std::uint32_t up) {
       return array(kMood + up, {"sad", std::nullopt, "ok"});
     }},
    {"an empty array", kMoods, [](std::uint32_t up) { return array(kMood + up, {}); }},
    {"a composite", kPoint, point},
    {"a composite of nulls", kPoint,
     [](std::uint32_t up) {
       return record({{23, std::nullopt}, {kMood + up, std::nullopt}});
     }},
    {"a domain over a composite", kDomain, point},
    {"an array of composites", kPoints,
     [](std::uint32_t up) {
       return array(kPoint + up, {point(up), std::nullopt, point(up)});
     }},
    {"an anonymous record with an array of composites", 2249,
     [](std::uint32_t up) {
       return record({{25, "x"}, {kPoints + up, array(kPoint + up, {point(up)})}, {23, "1234"}});
     }},
    {"an array of records", 2287,
     [](std::uint32_t up) {
       return array(2249, {record({{kPoint + up, point(up)}})});
     }},
    {"a range", kRange,
     [](std::uint32_t up) { return '\2' + value(point(up)) + value(point(up)); }},
    {"an empty range", kRange, [](std::uint32_t) { return std::string("\1"); }},
    {"a multirange", kMultirange,
     [](std::uint32_t up) {
       return std::string("\0\0\0\1", 4) + value('\2' + value(point(up)) + value(point(up)));
     }},
    {"an array of integers", 1007, [](std::uint32_t) { return array(23, {"1234"}); }},
};

TEST(OidMapTest, binary_values_get_the_other_sides_oids_and_nothing_else_changes) {
  const OidMap map = example();
  for (const ValueCase& c : kValues) {
    std::string text = c.make(0);
    EXPECT_TRUE(map_value(bytes_of(text), c.type, map.to_home)) << c.name;
    EXPECT_EQ(text, c.make(kUp)) << c.name;
    const std::uint32_t at_home = c.type < kFirstUserOid ? c.type : c.type + kUp;
    EXPECT_TRUE(map_value(bytes_of(text), at_home, map.to_shard)) << c.name;
    EXPECT_EQ(text, c.make(0)) << c.name;
  }
  EXPECT_FALSE(map.missed());
}

TEST(OidMapTest, truncated_values_are_told_and_never_read_beyond_their_end) {
  const OidMap map = example();
  for (const ValueCase& c : kValues) {
    if (!map.to_home.holds_oids(c.type)) continue;
    const std::string whole = c.make(0);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      // A copy of its own size, so that a sanitizer sees a step too far.
      std::vector<char> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const bool mapped = map_value(part, c.type, map.to_home);
      const bool record = map.to_home.type(c.type).shape == OidShape::kRecord;
      EXPECT_FALSE(record && mapped) << c.name << " of " << size;
    }
  }
}

TEST(OidMapTest, lengths_and_counts_are_not_believed) {
  const OidMap map = example();
  for (const std::string& hostile :
       {std::string("\xff\xff\xff\xff", 4), record({{kPoint, std::string("\x7f\xff\xff\xff", 4)}}),
        std::string("\0\0\0\1\0\0\x4e\x21\xff\xff\xff\xfe", 12)}) {
    std::string text = hostile;
    EXPECT_FALSE(map_value(bytes_of(text), kPoint, map.to_home));
  }
  // A record in a record, 100000 times.
  std::string deep;
  constexpr std::uint32_t kLevels = 100'000;
  for (std::uint32_t i = 1; i <= kLevels; ++i) {
    append_u32(deep, 1);
    append_u32(deep, kPoint);
    append_u32(deep, (kLevels - i) * 12);
  }
  EXPECT_FALSE(map_value(bytes_of(deep), kPoint, map.to_home));
}

TEST(OidMapTest, row_descriptions_name_types_and_tables_and_tell_which_columns_hold_oids) {
  const OidMap map = example();
  const auto frame = [](std::uint32_t up) {
    const Column columns[] = {
        {.name = "k", .table_oid = kTable + up, .attnum = 1, .type_oid = 23},
        {.name = "t", .table_oid = kTable + up, .type_oid = kPoint + up},
        {.name = "v", .type_oid = kMood + up, .format = Format::kBinary},
        {.name = "p", .type_oid = kPoint + up, .format = Format::kBinary},
        {.name = "q", .table_oid = up == 0 ? 20999u : 0u, .type_oid = up == 0 ? 20998u : 705u}};
    std::string out;
    append_row_description(out, columns);
    return out;
  };
  std::string text = frame(0);
  OidColumns columns;
  EXPECT_TRUE(map_row_description(bytes_of(text).subspan(kHeaderBytes), map.to_home, columns));
  EXPECT_EQ(text, frame(kUp));
  EXPECT_EQ(columns, (OidColumns{0, 0, 0, kPoint}));
  EXPECT_TRUE(map.missed());
  text = frame(0);
  EXPECT_TRUE(
      map_row_description(bytes_of(text).subspan(kHeaderBytes), map.to_home, columns, true));
  EXPECT_EQ(columns, (OidColumns{0, kPoint, 0, kPoint}));
}

TEST(OidMapTest, only_binary_parameters_of_a_bind_are_changed) {
  const OidMap map = example();
  const std::uint32_t types[] = {kPoint + kUp, kPoint + kUp, 0};
  const auto frame = [](std::span<const Format> formats, std::uint32_t a, std::uint32_t b) {
    const std::string first = point(a), second = point(b);
    const Value values[] = {first, second, std::nullopt};
    std::string out;
    append_bind(out, "p", "s", formats, values, {});
    return out;
  };
  const Format none[] = {Format::kText, Format::kText, Format::kText};
  const Format second[] = {Format::kText, Format::kBinary, Format::kText};
  const Format all[] = {Format::kBinary};
  const auto check = [&](std::span<const Format> formats, std::uint32_t a, std::uint32_t b) {
    std::string text = frame(formats, kUp, kUp);
    EXPECT_TRUE(map_bind(bytes_of(text).subspan(kHeaderBytes), types, map.to_shard));
    EXPECT_EQ(text, frame(formats, a, b));
  };
  check({}, kUp, kUp);
  check(none, kUp, kUp);
  check(second, kUp, 0);
  check(all, 0, 0);
}

TEST(OidMapTest, parameters_of_parse_are_mapped_and_what_a_shard_lacks_is_no_type) {
  const OidMap map = example();
  const std::uint32_t given[] = {0, 23, kMood + kUp, 40000};
  const std::uint32_t sent[] = {0, 23, kMood, kNoType};
  std::string text, expected;
  append_parse(text, "s", "SELECT $1", given);
  append_parse(expected, "s", "SELECT $1", sent);
  EXPECT_TRUE(map_parse(bytes_of(text).subspan(kHeaderBytes), map.to_shard));
  EXPECT_EQ(text, expected);
}

}  // namespace
}  // namespace shoal::wire
