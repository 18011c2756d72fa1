// Claims about text and binary values; the expected spellings were read from PostgreSQL 15.
#include "wire/format.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <bit>
#include <limits>

namespace shoal::wire {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

struct Case {
  std::uint32_t type;
  std::string_view text, binary;  // binary in hex
};

// Canonical spellings: both directions give exactly these.
constexpr Case kBoth[] = {
    {oid::kBool, "t", "01"},
    {oid::kBool, "f", "00"},
    {oid::kInt2, "-32768", "8000"},
    {oid::kInt2, "7", "0007"},
    {oid::kInt4, "2147483647", "7fffffff"},
    {oid::kInt4, "-1", "ffffffff"},
    {oid::kInt8, "-9223372036854775808", "8000000000000000"},
    {oid::kInt8, "4294967296", "0000000100000000"},
    {oid::kOid, "4294967295", "ffffffff"},
    {oid::kFloat4, "1.5", "3fc00000"},
    {oid::kFloat8, "0.1", "3fb999999999999a"},
    {oid::kFloat8, "-0", "8000000000000000"},
    {oid::kFloat8, "NaN", "7ff8000000000000"},
    {oid::kFloat8, "Infinity", "7ff0000000000000"},
    {oid::kFloat8, "-Infinity", "fff0000000000000"},
    {oid::kText, "hällo", "68c3a46c6c6f"},
    {oid::kVarchar, "", ""},
    {oid::kNumeric, "0", "0000000000000000"},
    {oid::kNumeric, "0.00", "0000000000000002"},
    {oid::kNumeric, "1", "00010000000000000001"},
    {oid::kNumeric, "-1", "00010000400000000001"},
    {oid::kNumeric, "1.0", "00010000000000010001"},
    {oid::kNumeric, "10000", "00010001000000000001"},
    {oid::kNumeric, "12345.678", "0003000100000003000109291a7c"},
    {oid::kNumeric, "0.0001", "0001ffff000000040001"},
    {oid::kNumeric, "0.00001", "0001fffe0000000503e8"},
    {oid::kNumeric, "-0.5", "0001ffff400000011388"},
    {oid::kNumeric, "100000000", "00010002000000000001"},
    {oid::kNumeric, "100000000.00000001",
     "00050002000000080001000000000000"
     "0001"},
    {oid::kNumeric, "NaN", "00000000c0000000"},
    {oid::kNumeric, "Infinity", "00000000d0000000"},
    {oid::kNumeric, "-Infinity", "00000000f0000000"},
};

TEST(FormatTest, canonical_values_convert_both_ways) {
  for (const Case& c : kBoth) {
    const auto binary = binary_from_text(c.type, c.text);
    ASSERT_TRUE(binary.has_value()) << c.text;
    EXPECT_EQ(hex(*binary), c.binary) << c.text;
    EXPECT_EQ(*text_from_binary(c.type, *binary), c.text);
  }
}

TEST(FormatTest, other_spellings_are_read_as_postgresql_reads_them) {
  struct Spelling {
    std::uint32_t type;
    std::string_view text, canonical;
  };
  const Spelling spellings[] = {
      {oid::kBool, "TRUE", "t"},
      {oid::kBool, " y ", "t"},
      {oid::kBool, "of", "f"},
      {oid::kBool, "1", "t"},
      {oid::kInt4, " +42\n", "42"},
      {oid::kInt4, "-0", "0"},
      {oid::kInt4, "007", "7"},
      {oid::kFloat8, "1e3", "1000"},
      {oid::kFloat8, ".5", "0.5"},
      {oid::kFloat8, "5.", "5"},
      {oid::kFloat8, "+inf", "Infinity"},
      {oid::kFloat8, "nan", "NaN"},
      {oid::kNumeric, "1e3", "1000"},
      {oid::kNumeric, "1.5e-3", "0.0015"},
      {oid::kNumeric, "1.50e1", "15.0"},
      {oid::kNumeric, ".5", "0.5"},
      {oid::kNumeric, "5.", "5"},
      {oid::kNumeric, "-0", "0"},
      {oid::kNumeric, "-0.00", "0.00"},
      {oid::kNumeric, "0001.10", "1.10"},
      {oid::kNumeric, " nan ", "NaN"},
      {oid::kNumeric, "-inf", "-Infinity"},
      {oid::kNumeric, "1E+2", "100"},
      {oid::kNumeric, "0e5", "0"},
      {oid::kNumeric, "123456789012345678901234567890.123456789",
       "123456789012345678901234567890.123456789"},
  };
  for (const Spelling& s : spellings) {
    const auto binary = binary_from_text(s.type, s.text);
    ASSERT_TRUE(binary.has_value()) << s.text;
    EXPECT_EQ(*text_from_binary(s.type, *binary), s.canonical) << s.text;
  }
}

TEST(FormatTest, bad_text_is_22P02_and_too_large_values_are_22003) {
  struct Bad {
    std::uint32_t type;
    std::string_view text, sqlstate;
  };
  const Bad bad[] = {
      {oid::kInt2, "32768", "22003"},
      {oid::kInt4, "", "22P02"},
      {oid::kInt4, "1.0", "22P02"},
      {oid::kInt4, "1 2", "22P02"},
      {oid::kInt4, "+-1", "22P02"},
      {oid::kInt4, "--1", "22P02"},
      {oid::kInt4, "2147483648", "22003"},
      {oid::kInt8, "9223372036854775808", "22003"},
      {oid::kBool, "o", "22P02"},
      {oid::kBool, "", "22P02"},
      {oid::kBool, "truex", "22P02"},
      {oid::kBool, "2", "22P02"},
      {oid::kFloat8, "1e400", "22003"},
      {oid::kFloat8, "1e-400", "22003"},
      {oid::kFloat8, "abc", "22P02"},
      {oid::kFloat8, "1.5x", "22P02"},
      {oid::kFloat8, "", "22P02"},
      {oid::kFloat8, "--1", "22P02"},
      {oid::kNumeric, "", "22P02"},
      {oid::kNumeric, ".", "22P02"},
      {oid::kNumeric, "1.2.3", "22P02"},
      {oid::kNumeric, "1e", "22P02"},
      {oid::kNumeric, "e5", "22P02"},
      {oid::kNumeric, "- 1", "22P02"},
      {oid::kNumeric, "1e200000", "22003"},
      {oid::kNumeric, "1e-20000", "22003"},
      {oid::kNumeric, "1e99999999999", "22003"},
      {oid::kNumeric, "1e1000000000", "22003"},
      {2950, "x", "0A000"},
  };
  for (const Bad& b : bad) {
    const auto binary = binary_from_text(b.type, b.text);
    ASSERT_FALSE(binary.has_value()) << b.text;
    EXPECT_EQ(binary.error().sqlstate, b.sqlstate) << b.text;
  }
}

TEST(FormatTest, bad_bytes_are_22P03) {
  using namespace std::string_view_literals;
  const std::pair<std::uint32_t, std::string_view> bad[] = {
      {oid::kBool, ""sv},
      {oid::kInt4, "abc"sv},
      {oid::kInt8, "abcd"sv},
      {oid::kFloat8, "abcdefghi"sv},
      {oid::kNumeric, ""sv},
      {oid::kNumeric, "\0\1\0\0\0\0\0\0"sv},          // a digit is missing
      {oid::kNumeric, "\0\1\0\0\0\0\0\0\x27\x10"sv},  // digit 10000
      {oid::kNumeric, "\0\0\0\0\x12\x34\0\0"sv},      // no such sign
      {oid::kNumeric, "\0\0\0\0\0\0\x40\0"sv},        // scale 16384
      {oid::kNumeric, "\0\0\0\0\0\0\0\0x"sv},         // surplus
  };
  for (const auto& [type, raw] : bad) {
    const auto text = text_from_binary(type, raw);
    ASSERT_FALSE(text.has_value()) << type << hex(raw);
    EXPECT_EQ(text.error().sqlstate, "22P03");
  }
  EXPECT_EQ(text_from_binary(2950, "x").error().sqlstate, "0A000");
}

TEST(FormatTest, a_numeric_that_is_cut_to_zero_has_no_sign) {
  using namespace std::string_view_literals;
  // -0.00001 with only three digits behind the point.
  EXPECT_EQ(*text_from_binary(oid::kNumeric, "\0\1\xff\xfe\x40\0\0\3\x03\xe8"sv), "0.000");
}

TEST(FormatTest, floats_are_printed_with_the_fewest_digits_strictly_inside) {
  const std::pair<double, const char*> doubles[] = {
      {1e14, "100000000000000"},
      {1e15, "1e+15"},
      {123456789012345678.0, "1.2345678901234568e+17"},
      {0.0001, "0.0001"},
      {0.00001, "1e-05"},
      {-1.5e-7, "-1.5e-07"},
      {1.0 / 3, "0.3333333333333333"},
      {1e100, "1e+100"},
      {5e-324, "5e-324"},
      {1.7976931348623157e308, "1.7976931348623157e+308"},
      {2.2250738585072014e-308, "2.2250738585072014e-308"},
      // Half way between two doubles; reading rounds it to this one, PostgreSQL avoids it.
      {1e23, "9.999999999999999e+22"},
      {9007199254740993.0, "9.007199254740992e+15"},
      {123456.789, "123456.789"},
      {100, "100"},
  };
  for (const auto& [value, text] : doubles) EXPECT_EQ(print_float8(value), text);
  const std::pair<float, const char*> floats[] = {
      {1e5f, "100000"},
      {1e6f, "1e+06"},
      {0.1f, "0.1"},
      {16777216.0f, "1.6777216e+07"},
      {1.0f / 3, "0.33333334"},
      {3.4028235e38f, "3.4028235e+38"},
      {1e-45f, "1e-45"},
  };
  for (const auto& [value, text] : floats) EXPECT_EQ(print_float4(value), text);
}

TEST(FormatTest, printed_floats_read_back_as_the_same_bits) {
  std::uint64_t bits = 0x9e3779b97f4a7c15u;
  for (int i = 0; i < 20'000; ++i) {
    bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
    const auto value = std::bit_cast<double>(bits);
    if (value != value) continue;
    EXPECT_EQ(std::strtod(print_float8(value).c_str(), nullptr), value);
    const auto single = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (single != single) continue;
    EXPECT_EQ(std::strtof(print_float4(single).c_str(), nullptr), single);
  }
}

TEST(FormatTest, types_with_a_binary_format_are_known) {
  EXPECT_TRUE(has_binary_format(oid::kNumeric));
  EXPECT_TRUE(has_binary_format(oid::kBpchar));
  EXPECT_FALSE(has_binary_format(1184));
}

}  // namespace
}  // namespace shoal::wire
