// Tables of values in PostgreSQL's ascending order; every pair must compare so in both formats.
#include "merge/compare.h"

#include <gtest/gtest.h>

#include "merge/numeric_sum.h"
#include "wire/bytes.h"
#include "wire/format.h"

namespace shoal::merge {
namespace {

using Order = plan::SortKey::Order;
using wire::Format;

plan::SortKey sort_key(std::uint32_t type, Order order = Order::kNatural, std::string locale = {}) {
  plan::SortKey key;
  key.type = type;
  key.order = order;
  key.locale = std::move(locale);
  return key;
}

Key decoded(const Comparator& comparator, wire::Value value) {
  Key key;
  const auto result = comparator.decode(value, key);
  EXPECT_TRUE(result.has_value()) << (value ? *value : "NULL") << ": " << result.error().message;
  return key;
}

// `groups`: ascending; values of one inner list are equal.
void expect_order(const plan::SortKey& key, Format format,
                  const std::vector<std::vector<std::string>>& groups) {
  auto comparator = Comparator::make(key, format);
  ASSERT_TRUE(comparator.has_value()) << key.type;
  for (std::size_t a = 0; a < groups.size(); ++a) {
    for (std::size_t b = 0; b < groups.size(); ++b) {
      for (const std::string& left : groups[a]) {
        for (const std::string& right : groups[b]) {
          const int order =
              comparator->compare(decoded(*comparator, left), decoded(*comparator, right));
          EXPECT_EQ((order > 0) - (order < 0), (a > b) - (a < b))
              << "type " << key.type << ": " << left << " against " << right;
        }
      }
    }
  }
}

std::string binary(std::uint32_t type, const std::string& text) {
  const auto raw = wire::binary_from_text(type, text);
  EXPECT_TRUE(raw.has_value()) << text;
  return raw ? *raw : "";
}

std::string be(std::uint64_t value, int width) {
  std::string raw;
  wire::append_u64(raw, value);
  return raw.substr(8 - width);
}

TEST(Compare, numbers_are_ordered_in_both_formats) {
  const std::vector<std::pair<std::uint32_t, std::vector<std::vector<std::string>>>> table = {
      {21, {{"-32768"}, {"-1"}, {"0"}, {"9"}, {"10"}, {"32767"}}},
      {23, {{"-2147483648"}, {"-10"}, {"-9"}, {"0"}, {"2147483647"}}},
      {20, {{"-9223372036854775808"}, {"-1"}, {"0"}, {"9223372036854775807"}}},
      {26, {{"0"}, {"2147483647"}, {"2147483648"}, {"4294967295"}}},
      {16, {{"f"}, {"t"}}},
      {700, {{"-Infinity"}, {"-1.5"}, {"-0", "0"}, {"1e-40"}, {"3.4e+38"}, {"Infinity"}, {"NaN"}}},
      {701, {{"-Infinity"}, {"-1e+300"}, {"-0", "0"}, {"5e-324"}, {"0.1"}, {"Infinity"}, {"NaN"}}},
      {1700,
       {{"-Infinity"},
        {"-100000"},
        {"-2.5", "-2.50"},
        {"-0.0001"},
        {"0", "0.00"},
        {"0.00001"},
        {"1", "1.0", "1.000000"},
        {"9999.9999"},
        {"10000", "10000.0"},
        {"10000.0001"},
        {"123456789012345678901234567890"},
        {"Infinity"},
        {"NaN"}}},
  };
  for (const auto& [type, groups] : table) {
    expect_order(sort_key(type), Format::kText, groups);
    std::vector<std::vector<std::string>> raw;
    for (const auto& group : groups) {
      for (raw.emplace_back(); const std::string& text : group) {
        raw.back().push_back(binary(type, text));
      }
    }
    expect_order(sort_key(type), Format::kBinary, raw);
  }
}

TEST(Compare, dates_and_times_are_ordered_by_their_text) {
  const std::vector<std::pair<std::uint32_t, std::vector<std::vector<std::string>>>> table = {
      {1082,
       {{"-infinity"},
        {"4713-01-01 BC"},
        {"0001-12-31 BC"},
        {"0001-01-01"},
        {"1999-12-31"},
        {"2000-02-29"},
        {"2000-03-01"},
        {"12000-01-01"},
        {"infinity"}}},
      {1083, {{"00:00:00"}, {"09:59:59.9"}, {"09:59:59.95"}, {"10:00:00"}, {"24:00:00"}}},
      {1114,
       {{"-infinity"},
        {"0044-03-15 12:00:00 BC"},
        {"1999-12-31 23:59:59.999999"},
        {"2000-01-01 00:00:00"},
        {"infinity"}}},
      {1184,
       {{"2024-01-01 00:30:00+01"},
        {"2024-01-01 00:00:00+00", "2024-01-01 05:30:00+05:30"},
        {"2023-12-31 23:00:00-05"},
        {"infinity"}}},
      {1266,
       {{"01:00:00+02"},
        {"00:00:00+00:30"},
        {"02:00:00+02"},
        {"01:00:00+01"},
        {"00:00:00+00"},
        {"23:00:00-08"}}},
      {1186,
       {{"-1 years -2 mons"},
        {"-1 days +02:03:00"},
        {"-00:00:01"},
        {"00:00:00"},
        {"23:59:59.5"},
        {"24:00:00", "1 day"},
        {"29 days 24:00:00", "1 mon", "30 days"},
        {"1 year", "12 mons", "360 days"},
        {"1 year 5 days 01:00:00"}}},
  };
  for (const auto& [type, groups] : table) expect_order(sort_key(type), Format::kText, groups);
}

TEST(Compare, dates_and_times_are_ordered_in_binary) {
  const auto interval = [](std::int64_t time, int days, int months) {
    return be(static_cast<std::uint64_t>(time), 8) + be(static_cast<std::uint32_t>(days), 4) +
           be(static_cast<std::uint32_t>(months), 4);
  };
  const auto timetz = [](std::int64_t time, int zone) {
    return be(static_cast<std::uint64_t>(time), 8) + be(static_cast<std::uint32_t>(zone), 4);
  };
  constexpr std::int64_t kHour = 3'600'000'000;
  expect_order(sort_key(1186), Format::kBinary,
               {{interval(0, 0, -1)},
                {interval(-1, 0, 0)},
                {interval(0, 0, 0)},
                {interval(24 * kHour, 0, 0), interval(0, 1, 0)},
                {interval(0, 0, 1), interval(0, 30, 0)}});
  expect_order(sort_key(1266), Format::kBinary,
               {{timetz(kHour, -7200)},
                {timetz(kHour, -3600)},
                {timetz(0, 0)},
                {timetz(-kHour, 3600)},
                {timetz(kHour, 0)}});
  expect_order(sort_key(1082), Format::kBinary,
               {{be(0x80000000u, 4)},
                {be(static_cast<std::uint32_t>(-5), 4)},
                {be(0, 4)},
                {be(0x7FFFFFFF, 4)}});
  expect_order(sort_key(1184), Format::kBinary,
               {{be(1ull << 63, 8)}, {be(static_cast<std::uint64_t>(-5), 8)}, {be(5, 8)}});
}

TEST(Compare, bytes_and_identifiers_are_ordered_as_unsigned_bytes) {
  expect_order(
      sort_key(17), Format::kText,
      {{"\\x"}, {"\\x00", "\\000"}, {"\\x61", "a"}, {"\\x6162", "ab"}, {"\\xff", "\\377"}});
  expect_order(sort_key(17), Format::kBinary, {{""}, {"a"}, {"ab"}, {"\xff"}});
  expect_order(sort_key(2950), Format::kText,
               {{"00000000-0000-0000-0000-000000000001"},
                {"7fffffff-0000-0000-0000-000000000000"},
                {"ffffffff-0000-0000-0000-000000000000"}});
  std::vector<std::vector<std::string>> uuids;
  for (const char byte : {'\1', '\x7f', '\xff'}) uuids.push_back({std::string(16, byte)});
  expect_order(sort_key(2950), Format::kBinary, uuids);
  expect_order(sort_key(18), Format::kText, {{""}, {"A"}, {"a"}, {"\xc3", "\\303"}});
  expect_order(sort_key(18), Format::kBinary, {{std::string(1, '\0')}, {"A"}, {"\xc3"}});
  expect_order(sort_key(19), Format::kText, {{"Z"}, {"a"}, {"\xc3\xa4"}});
}

TEST(Compare, text_follows_its_collation) {
  expect_order(sort_key(25, Order::kBytes), Format::kText,
               {{""}, {"B"}, {"a"}, {"a "}, {"\xc3\xa4"}});
  expect_order(sort_key(1042, Order::kBytes), Format::kText, {{"", "   "}, {"a", "a  "}, {"ab"}});
  expect_order(sort_key(25, Order::kIcu, "en-US"), Format::kText,
               {{"a"}, {"A"}, {"\xc3\xa4"}, {"b"}, {"B"}, {"z"}});
  expect_order(sort_key(1043, Order::kIcu, "sv"), Format::kBinary, {{"a"}, {"z"}, {"\xc3\xa4"}});
  expect_order(sort_key(25, Order::kLibc, "C.UTF-8"), Format::kText, {{"B"}, {"a"}, {"\xc3\xa4"}});
}

TEST(Compare, an_icu_tie_is_broken_by_bytes) {
  // A zero-width joiner is ignored by the collation, but deterministic equality is that of bytes.
  expect_order(sort_key(25, Order::kIcu, "en"), Format::kText,
               {{"ab"},
                {"a\xe2\x80\x8d"
                 "b"}});
}

TEST(Compare, nulls_stand_where_the_key_puts_them) {
  for (const bool descending : {false, true}) {
    for (const bool nulls_first : {false, true}) {
      plan::SortKey key = sort_key(23);
      key.descending = descending;
      key.nulls_first = nulls_first;
      auto comparator = Comparator::make(key, Format::kText);
      ASSERT_TRUE(comparator.has_value());
      const Key null, one = decoded(*comparator, "1"), two = decoded(*comparator, "2");
      EXPECT_EQ(comparator->compare(null, one) < 0, nulls_first);
      EXPECT_EQ(comparator->compare(one, two) > 0, descending);
      EXPECT_EQ(comparator->compare(null, null), 0);
    }
  }
}

TEST(Compare, what_cannot_be_ordered_exactly_is_refused) {
  EXPECT_FALSE(can_compare(25, Order::kNatural, ""));       // text without a known collation
  EXPECT_FALSE(can_compare(25, Order::kLibc, "xx_YY.no"));  // a locale this machine lacks
  EXPECT_FALSE(can_compare(3802, Order::kNatural, ""));     // jsonb
  EXPECT_FALSE(can_compare(869, Order::kNatural, ""));      // inet
  EXPECT_FALSE(can_compare(16394, Order::kNatural, ""));    // a user's type
  const auto comparator = Comparator::make(sort_key(25), Format::kText);
  ASSERT_FALSE(comparator.has_value());
  EXPECT_EQ(comparator.error().sqlstate, "0A000");
}

TEST(Compare, bytes_that_are_no_value_are_an_error) {
  struct Case {
    std::uint32_t type;
    Format format;
    std::string value;
  };
  const Case cases[] = {
      {23, Format::kText, "x"},
      {23, Format::kBinary, "abc"},
      {1700, Format::kBinary, "\0\1"},
      {1186, Format::kText, "P1Y"},
      {1186, Format::kText, "1-2 3"},
      {1082, Format::kText, "31.12.2024"},
      {1184, Format::kText, "Mon Jan 01 00:00:00 2024 UTC"},
      {1266, Format::kText, "10:00"},
      {2950, Format::kBinary, "short"},
      {1186, Format::kText, "999999999999999999999 days"},
      {1186, Format::kText, "99999999999:00:00"},
  };
  for (const Case& c : cases) {
    auto comparator = Comparator::make(sort_key(c.type), c.format);
    ASSERT_TRUE(comparator.has_value());
    Key key;
    EXPECT_FALSE(comparator->decode(c.value, key).has_value()) << c.type << " " << c.value;
  }
}

TEST(Compare, collation_versions_are_those_that_postgresql_reports) {
  EXPECT_EQ(libc_version("C"), "");
  EXPECT_EQ(libc_version("C.UTF-8"), "");
  EXPECT_EQ(libc_version("xx_YY.no"), "");
  EXPECT_NE(icu_version("en-US"), "");
  EXPECT_NE(icu_version("en-US"), icu_version("zh"));  // zh tailors the root collation
}

std::string sum(const std::string& a, const std::string& b) {
  const auto total = add_numeric(*keys::parse_text(keys::KeyType::kNumeric, a),
                                 *keys::parse_text(keys::KeyType::kNumeric, b));
  return total ? keys::to_text(*total) : total.error().sqlstate;
}

TEST(Numeric, sums_are_exact_and_keep_the_larger_scale) {
  const std::array<const char*, 3> table[] = {
      {"1.5", "2.25", "3.75"},
      {"0", "0", "0"},
      {"0.00", "5", "5.00"},
      {"-5", "5.000", "0.000"},
      {"9999", "1", "10000"},
      {"99999999", "1", "100000000"},
      {"0.0001", "-1", "-0.9999"},
      {"100000000", "-0.00000001", "99999999.99999999"},
      {"-3", "1", "-2"},
      {"18446744073709551615", "18446744073709551615", "36893488147419103230"},
      {"NaN", "1", "NaN"},
      {"Infinity", "-5", "Infinity"},
      {"Infinity", "-Infinity", "NaN"},
      {"1", "-Infinity", "-Infinity"},
      {"100000", "0.00", "100000.00"},
  };
  for (const auto& [a, b, expected] : table) {
    EXPECT_EQ(sum(a, b), expected) << a << " + " << b;
    EXPECT_EQ(sum(b, a), expected) << b << " + " << a;
  }
}

TEST(Numeric, a_sum_beyond_the_format_is_22003) {
  const std::string largest = std::string(131072, '9');
  EXPECT_EQ(sum(largest, "1"), "22003");
  EXPECT_EQ(sum(largest, "0"), largest);
}

}  // namespace
}  // namespace shoal::merge
