// Key values: input, output, equality. Expected texts and errors are PostgreSQL 15's own answers.
#include "keys/value.h"

#include <gtest/gtest.h>

#include <climits>

#include "keys/pg_hash.h"

namespace shoal::keys {
namespace {

// The canonical text, or the SQLSTATE, or "server".
std::string read(KeyType type, std::string_view text, ParseSettings settings = {}) {
  Result<KeyValue> value = parse_text(type, text, settings);
  if (value) return to_text(*value);
  return needs_server(value.error()) ? "server" : value.error().sqlstate;
}

struct Case {
  KeyType type;
  std::string_view text, expected;
};

void expect_all(std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    EXPECT_EQ(read(c.type, c.text), c.expected) << type_name(c.type) << " \"" << c.text << "\"";
  }
}

TEST(ParseText, integers_allow_blanks_and_signs_and_refuse_the_rest) {
  expect_all({{KeyType::kInt4, " 42 ", "42"},
              {KeyType::kInt4, "+42", "42"},
              {KeyType::kInt4, "\t-042\n", "-42"},
              {KeyType::kInt4, "", "22P02"},
              {KeyType::kInt4, "4 2", "22P02"},
              {KeyType::kInt4, "- 1", "22P02"},
              {KeyType::kInt4, "1.0", "22P02"},
              {KeyType::kInt4, "0x1F", "22P02"},
              {KeyType::kInt4, "2147483648", "22003"},
              {KeyType::kInt4, "-2147483648", "-2147483648"},
              {KeyType::kInt4, "2147483648x", "22P02"},
              {KeyType::kInt4, "2147483649x", "22003"},
              {KeyType::kInt2, "32768", "22003"},
              {KeyType::kInt8, "9223372036854775807", "9223372036854775807"},
              {KeyType::kInt8, "-9223372036854775808", "-9223372036854775808"},
              {KeyType::kInt8, "9223372036854775808", "22003"},
              {KeyType::kOid, "-1", "4294967295"},
              {KeyType::kOid, "4294967296", "22003"}});
}

TEST(ParseText, servers_from_16_on_read_other_bases_and_underscores) {
  ParseSettings modern;
  modern.server_version_num = 160000;
  EXPECT_EQ(read(KeyType::kInt4, "0x1F", modern), "31");
  EXPECT_EQ(read(KeyType::kInt4, "1_000", modern), "1000");
  EXPECT_EQ(read(KeyType::kInt4, "0b101", modern), "5");
  EXPECT_EQ(read(KeyType::kInt4, "0x_1", modern), "1");
  EXPECT_EQ(read(KeyType::kInt4, "1__0", modern), "22P02");
  EXPECT_EQ(read(KeyType::kInt4, "_1", modern), "22P02");
  EXPECT_EQ(read(KeyType::kNumeric, "1_000", modern), "server");
}

TEST(ParseText, the_message_of_a_bad_integer_is_postgresqls) {
  EXPECT_EQ(parse_text(KeyType::kInt8, "x").error().message,
            "invalid input syntax for type bigint: \"x\"");
  EXPECT_EQ(parse_text(KeyType::kInt2, "99999").error().message,
            "value \"99999\" is out of range for type smallint");
}

TEST(ParseText, uuid_takes_braces_hyphens_after_any_four_digits_and_either_case) {
  std::string canonical = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
  for (std::string_view text :
       {"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11"}) {
    EXPECT_EQ(read(KeyType::kUuid, text), canonical) << text;
  }
  for (std::string_view text :
       {" a0eebc999c0b4ef8bb6d6bb9bd380a11", "{a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0-eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a1", ""}) {
    EXPECT_EQ(read(KeyType::kUuid, text), "22P02") << text;
  }
}

TEST(ParseText, numeric_keeps_its_scale_and_knows_the_special_values) {
  expect_all({{KeyType::kNumeric, "1.50", "1.50"},
              {KeyType::kNumeric, " -0.0 ", "0.0"},
              {KeyType::kNumeric, ".5", "0.5"},
              {KeyType::kNumeric, "5.", "5"},
              {KeyType::kNumeric, "1e3", "1000"},
              {KeyType::kNumeric, "1.5e-3", "0.0015"},
              {KeyType::kNumeric, "1e 5", "100000"},
              {KeyType::kNumeric, "nan", "NaN"},
              {KeyType::kNumeric, "-inf", "-Infinity"},
              {KeyType::kNumeric, "+Infinity", "Infinity"},
              {KeyType::kNumeric, "-NaN", "22P02"},
              {KeyType::kNumeric, ".", "22P02"},
              {KeyType::kNumeric, "1e", "22P02"},
              {KeyType::kNumeric, "1..2", "22P02"},
              {KeyType::kNumeric, "1e131072", "22003"},
              {KeyType::kNumeric, "1e-16384", "22003"},
              {KeyType::kNumeric, "0e99999", "0"}});
}

TEST(ParseText, iso_dates_are_read_and_other_spellings_go_to_a_server) {
  expect_all({{KeyType::kDate, "2024-02-29", "2024-02-29"},
              {KeyType::kDate, " 2024-1-2 ", "2024-01-02"},
              {KeyType::kDate, "0044-03-15 BC", "0044-03-15 BC"},
              {KeyType::kDate, "Infinity", "infinity"},
              {KeyType::kDate, "2023-02-29", "22008"},
              {KeyType::kDate, "0000-01-01", "22008"},
              {KeyType::kDate, "5874898-01-01", "22008"},
              {KeyType::kDate, "4714-11-24 BC", "4714-11-24 BC"},
              {KeyType::kDate, "4714-11-23 BC", "22008"},
              {KeyType::kDate, "1/2/2024", "server"},
              {KeyType::kDate, "20240102", "server"},
              {KeyType::kDate, "today", "server"},
              {KeyType::kDate, "", "server"}});
}

TEST(ParseText, timestamps_take_numeric_zones_and_round_to_microseconds) {
  expect_all({{KeyType::kTimestamptz, "2025-06-01 12:00:00+02", "2025-06-01 10:00:00+00"},
              {KeyType::kTimestamptz, "2025-06-01T05:00:00-0500", "2025-06-01 10:00:00+00"},
              {KeyType::kTimestamptz, "2025-06-01 10:00Z", "2025-06-01 10:00:00+00"},
              {KeyType::kTimestamptz, "2025-06-01", "2025-06-01 00:00:00+00"},
              {KeyType::kTimestamptz, "2025-06-01 10:00 Europe/Berlin", "server"},
              {KeyType::kTimestamp, "2025-06-01 10:00:00+02", "2025-06-01 10:00:00"},
              {KeyType::kTimestamp, "2025-06-01 23:59:59.9999999", "2025-06-02 00:00:00"},
              {KeyType::kTimestamp, "2025-06-01 24:00:00", "2025-06-02 00:00:00"},
              {KeyType::kTimestamp, "2025-06-01 25:00:00", "22008"},
              {KeyType::kTimestamp, "294277-01-01", "22008"},
              {KeyType::kTime, "24:00:00", "24:00:00"},
              {KeyType::kTime, "24:00:01", "22008"},
              {KeyType::kTime, "12:34:56.789", "12:34:56.789"},
              {KeyType::kTime, "noon", "server"}});
}

TEST(ParseText, a_timestamptz_without_zone_means_the_sessions_zone) {
  ParseSettings berlin;
  berlin.time_zone = "Europe/Berlin";
  EXPECT_EQ(read(KeyType::kTimestamptz, "2025-06-01 12:00:00", berlin), "server");
  EXPECT_EQ(read(KeyType::kTimestamptz, "2025-06-01 12:00:00+02", berlin),
            "2025-06-01 10:00:00+00");
}

TEST(ParseText, bool_takes_unique_prefixes) {
  expect_all({{KeyType::kBool, " TRUE ", "true"},
              {KeyType::kBool, "y", "true"},
              {KeyType::kBool, "of", "false"},
              {KeyType::kBool, "0", "false"},
              {KeyType::kBool, "o", "22P02"},
              {KeyType::kBool, "", "22P02"}});
}

TEST(ParseText, bytea_takes_hex_and_escape_form) {
  expect_all({{KeyType::kBytea, "\\xDE ad", "\\xdead"},
              {KeyType::kBytea, "a\\\\\\001", "\\x615c01"},
              {KeyType::kBytea, "\\xd", "22023"},
              {KeyType::kBytea, "\\xzz", "22023"},
              {KeyType::kBytea, "\\", "22P02"}});
}

TEST(ParseText, floats_print_the_shortest_text_inside_the_rounding_interval) {
  expect_all({{KeyType::kFloat8, "0.1", "0.1"},
              {KeyType::kFloat8, "1e15", "1e+15"},
              {KeyType::kFloat8, "100000000000000", "100000000000000"},
              {KeyType::kFloat8, "0.00001", "1e-05"},
              {KeyType::kFloat8, "9315638264.03e8", "9.315638264030001e+17"},
              {KeyType::kFloat8, "-0", "-0"},
              {KeyType::kFloat8, "1e309", "22003"},
              {KeyType::kFloat4, "92486065.1881165", "9.2486064e+07"},
              {KeyType::kFloat4, "0.1", "0.1"},
              {KeyType::kFloat4, "1e39", "22003"},
              {KeyType::kFloat8, "0x10", "server"},
              {KeyType::kFloat8, "1e", "22P02"}});
}

TEST(ParseText, name_keeps_63_bytes_and_whole_characters) {
  EXPECT_EQ(read(KeyType::kName, std::string(70, 'x')), std::string(63, 'x'));
  std::string long_name(62, 'x');
  EXPECT_EQ(read(KeyType::kName, fmt::format("{}\xC3\xB1", long_name)), long_name);
}

TEST(ParseText, a_zero_byte_is_no_text) {
  EXPECT_EQ(read(KeyType::kText, std::string_view("a\0b", 3)), "22021");
}

TEST(ParseBinary, integers_are_big_endian_and_of_exact_size) {
  auto read_binary = [](KeyType type, std::string_view data) {
    Result<KeyValue> value = parse_binary(type, data);
    return value ? to_text(*value) : value.error().sqlstate;
  };
  EXPECT_EQ(read_binary(KeyType::kInt4, std::string_view("\xFF\xFF\xFF\xFE", 4)), "-2");
  EXPECT_EQ(read_binary(KeyType::kInt2, std::string_view("\x80\x00", 2)), "-32768");
  EXPECT_EQ(read_binary(KeyType::kInt8, std::string_view("\0\0\0\0\0\0\0\x2A", 8)), "42");
  EXPECT_EQ(read_binary(KeyType::kInt4, std::string_view("\0\0\0", 3)), "08P01");
  EXPECT_EQ(read_binary(KeyType::kInt4, std::string_view("\0\0\0\0\0", 5)), "22P03");
  EXPECT_EQ(read_binary(KeyType::kBool, std::string_view("\x01", 1)), "true");
  EXPECT_EQ(read_binary(KeyType::kDate, std::string_view("\0\0\0\x01", 4)), "2000-01-02");
  EXPECT_EQ(read_binary(KeyType::kDate, std::string_view("\x7F\xFF\xFF\xFE", 4)), "22008");
  EXPECT_EQ(read_binary(KeyType::kUuid, std::string(16, '\x11')),
            "11111111-1111-1111-1111-111111111111");
  EXPECT_EQ(read_binary(KeyType::kUuid, std::string(15, '\x11')), "08P01");
}

TEST(ParseBinary, numeric_is_checked_digit_by_digit_and_cut_to_its_scale) {
  auto numeric = [](std::string_view data) {
    Result<KeyValue> value = parse_binary(KeyType::kNumeric, data);
    return value ? to_text(*value) : value.error().sqlstate;
  };
  // 12345.67 = digits 1, 2345, 6700; weight 1; scale 2
  EXPECT_EQ(numeric(std::string_view("\0\3\0\1\0\0\0\2\0\1\x09\x29\x1A\x2C", 14)), "12345.67");
  EXPECT_EQ(numeric(std::string_view("\0\3\0\1\0\0\0\1\0\1\x09\x29\x1A\x2C", 14)), "12345.6");
  EXPECT_EQ(numeric(std::string_view("\0\0\0\0\xC0\0\0\0", 8)), "NaN");
  EXPECT_EQ(numeric(std::string_view("\0\0\0\0\xF0\0\0\0", 8)), "-Infinity");
  EXPECT_EQ(numeric(std::string_view("\0\1\0\0\x12\x34\0\0\0\1", 10)), "22P03");
  EXPECT_EQ(numeric(std::string_view("\0\1\0\0\0\0\0\0\x27\x10", 10)), "22P03");  // digit 10000
  EXPECT_EQ(numeric(std::string_view("\xFF\xFF\0\0\0\0\0\0\0\1", 10)), "08P01");
}

KeyValue of(KeyType type, std::string_view text) {
  return *parse_text(type, text);
}

TEST(KeyValue, equality_is_the_types_own) {
  EXPECT_EQ(of(KeyType::kNumeric, "1.0"), of(KeyType::kNumeric, "1.00"));
  EXPECT_NE(of(KeyType::kNumeric, "1"), of(KeyType::kNumeric, "-1"));
  EXPECT_EQ(of(KeyType::kFloat8, "-0"), of(KeyType::kFloat8, "0"));
  EXPECT_EQ(of(KeyType::kFloat8, "nan"), of(KeyType::kFloat8, "NaN"));
  EXPECT_EQ(of(KeyType::kBpchar, "a  "), of(KeyType::kBpchar, "a"));
  EXPECT_NE(of(KeyType::kText, "a  "), of(KeyType::kText, "a"));
  EXPECT_EQ(of(KeyType::kInt2, "7"), of(KeyType::kInt8, "7"));
  EXPECT_EQ(of(KeyType::kText, "x"), of(KeyType::kVarchar, "x"));
  EXPECT_NE(of(KeyType::kText, "7"), of(KeyType::kInt4, "7"));
}

TEST(KeyValue, order_is_the_types_own) {
  EXPECT_LT(of(KeyType::kNumeric, "-10"), of(KeyType::kNumeric, "-9.5"));
  EXPECT_LT(of(KeyType::kNumeric, "9999.9"), of(KeyType::kNumeric, "10000"));
  EXPECT_LT(of(KeyType::kNumeric, "Infinity"), of(KeyType::kNumeric, "NaN"));
  EXPECT_LT(of(KeyType::kNumeric, "-0.0001"), of(KeyType::kNumeric, "0"));
  EXPECT_LT(of(KeyType::kNumeric, "0"), of(KeyType::kNumeric, "0.0001"));
  EXPECT_LT(of(KeyType::kText, "z"), of(KeyType::kText, "\xC3\xB1"));
  EXPECT_LT(of(KeyType::kInt8, "-1"), of(KeyType::kInt8, "0"));
  EXPECT_LT(of(KeyType::kFloat8, "inf"), of(KeyType::kFloat8, "nan"));
}

TEST(KeyValue, the_canonical_text_is_one_for_equal_values) {
  EXPECT_EQ(canonical_text(of(KeyType::kNumeric, "1.500")), "1.5");
  EXPECT_EQ(canonical_text(of(KeyType::kNumeric, "100")), "100");
  EXPECT_EQ(canonical_text(of(KeyType::kNumeric, "0.00")), "0");
  EXPECT_EQ(canonical_text(of(KeyType::kFloat8, "-0")), "0");
  KeyValue pair[] = {of(KeyType::kText, "a\",b"), KeyValue::null(KeyType::kInt4)};
  EXPECT_EQ(canonical_text(pair), "(\"a\"\",b\",)");
}

std::string assign(KeyType type, std::string_view text, std::int32_t typmod) {
  Result<KeyValue> value = apply_typmod(of(type, text), typmod);
  return value ? to_text(*value) : value.error().sqlstate;
}

TEST(ApplyTypmod, varchar_loses_blanks_beyond_n_and_nothing_else) {
  EXPECT_EQ(assign(KeyType::kVarchar, "abcde   ", 5 + 4), "abcde");
  EXPECT_EQ(assign(KeyType::kVarchar, "abc  ", 5 + 4), "abc  ");
  EXPECT_EQ(assign(KeyType::kVarchar, "abcdef", 5 + 4), "22001");
  EXPECT_EQ(assign(KeyType::kVarchar, "\xC3\xB1\xC3\xB1", 2 + 4), "\xC3\xB1\xC3\xB1");
  EXPECT_EQ(assign(KeyType::kVarchar, "abcde   ", -1), "abcde   ");
}

TEST(ApplyTypmod, numeric_and_times_are_rounded) {
  EXPECT_EQ(assign(KeyType::kNumeric, "1.005", 4 + (5 << 16 | 2)), "1.01");
  EXPECT_EQ(assign(KeyType::kNumeric, "-9.995", 4 + (3 << 16 | 2)), "22003");
  EXPECT_EQ(assign(KeyType::kNumeric, "1250", 4 + (2 << 16 | (-2 & 0x7FF))), "1300");
  EXPECT_EQ(assign(KeyType::kTimestamp, "2025-01-01 00:00:00.5", 0), "2025-01-01 00:00:01");
  EXPECT_EQ(assign(KeyType::kTime, "12:00:00.123456", 3), "12:00:00.123");
}

TEST(Cast, assignment_checks_the_range_and_rounds) {
  EXPECT_EQ(cast_for_assignment(of(KeyType::kInt8, "70000"), KeyType::kInt2).error().sqlstate,
            "22003");
  EXPECT_EQ(to_text(*cast_for_assignment(of(KeyType::kNumeric, "2.5"), KeyType::kInt4)), "3");
  EXPECT_EQ(to_text(*cast_for_assignment(of(KeyType::kNumeric, "-2.5"), KeyType::kInt4)), "-3");
  EXPECT_EQ(to_text(*cast_for_assignment(of(KeyType::kDate, "2000-01-02"), KeyType::kTimestamp)),
            "2000-01-02 00:00:00");
  EXPECT_TRUE(needs_server(cast_for_assignment(of(KeyType::kText, "1"), KeyType::kInt4).error()));
}

TEST(Cast, a_comparison_finds_the_equal_value_or_none) {
  auto equal = [](KeyType from, std::string_view text, KeyType to) -> std::string {
    Result<std::optional<KeyValue>> value = equal_value(of(from, text), to);
    if (!value) return "server";
    return *value ? to_text(**value) : "none";
  };
  EXPECT_EQ(equal(KeyType::kNumeric, "42.00", KeyType::kInt4), "42");
  EXPECT_EQ(equal(KeyType::kNumeric, "42.5", KeyType::kInt4), "none");
  EXPECT_EQ(equal(KeyType::kInt8, "5000000000", KeyType::kInt4), "none");
  EXPECT_EQ(equal(KeyType::kNumeric, "NaN", KeyType::kInt4), "none");
  EXPECT_EQ(equal(KeyType::kFloat8, "42", KeyType::kInt8), "42");
  EXPECT_EQ(equal(KeyType::kFloat8, "9007199254740993", KeyType::kInt8), "server");
  EXPECT_EQ(equal(KeyType::kFloat8, "0.5", KeyType::kInt8), "none");
  EXPECT_EQ(equal(KeyType::kText, "a ", KeyType::kBpchar), "none");
  EXPECT_EQ(equal(KeyType::kTimestamp, "2000-01-01", KeyType::kDate), "server");
}

TEST(Names, types_are_known_by_oid_and_by_sql_name) {
  for (auto type : {KeyType::kInt2, KeyType::kUuid, KeyType::kTimestamptz, KeyType::kFloat8}) {
    EXPECT_EQ(key_type_of_oid(oid_of(type)), type);
    EXPECT_EQ(key_type_of_name(type_name(type)), type);
  }
  EXPECT_EQ(key_type_of_name("bigint"), KeyType::kInt8);
  EXPECT_EQ(key_type_of_oid(16384), std::nullopt);
}

}  // namespace
}  // namespace shoal::keys
