// Building the body of a DataRow value by value:  count:u16 (length:i32 bytes)*   (-1 is NULL)
// Pure functions.
#pragma once
#include <string>

#include "wire/bytes.h"
#include "wire/values.h"

namespace shoal::merge {

inline void append_value(std::string& body, wire::Value value) {
  wire::append_u32(body, value ? static_cast<std::uint32_t>(value->size()) : 0xFFFFFFFF);
  if (value) body.append(*value);
}

}  // namespace shoal::merge
