// Inner header of format.*: the conversions of single types, and what they share.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace shoal::wire::format_types {

// The text without leading and trailing blanks as C's isspace sees them.
std::string_view trim(std::string_view text);
bool equal_ignoring_case(std::string_view text, std::string_view lower_case);

// 22P02 invalid input syntax for type ...
Error bad_text(std::string_view type, std::string_view text);
// 22003 value "..." is out of range for type ...
Error out_of_range(std::string_view type, std::string_view text);
// 22P03 incorrect binary data format
Error bad_binary();

Result<std::string> float8_from_text(std::string_view text);
Result<std::string> float4_from_text(std::string_view text);
Result<std::string> numeric_from_text(std::string_view text);
Result<std::string> numeric_to_text(std::string_view raw);

}  // namespace shoal::wire::format_types
