// Text <-> binary for values that the router makes itself, with PostgreSQL's own spelling: int2,
// int4, int8, oid, bool, float4, float8, numeric, and text-like types (text, varchar, bpchar, name,
// unknown), whose two forms are the same.
// Floats are written as extra_float_digits >= 1 does (the default). Pure functions.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace shoal::wire {

namespace oid {
constexpr std::uint32_t kBool = 16, kName = 19, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25,
                        kOid = 26, kFloat4 = 700, kFloat8 = 701, kUnknown = 705, kBpchar = 1042,
                        kVarchar = 1043, kNumeric = 1700;
}  // namespace oid

// True when both functions below know the type.
bool has_binary_format(std::uint32_t type_oid);

// 22P02 for text that is not a value of the type, 22003 out of range, 0A000 for other types.
Result<std::string> binary_from_text(std::uint32_t type_oid, std::string_view text);
// 22P03 for bytes that are not a value of the type, 0A000 for other types.
Result<std::string> text_from_binary(std::uint32_t type_oid, std::string_view raw);

// PostgreSQL's shortest exact spelling: 1e+15, 0.1, -0, NaN, Infinity.
std::string print_float8(double value);
std::string print_float4(float value);

}  // namespace shoal::wire
