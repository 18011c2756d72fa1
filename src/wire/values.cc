// Checks counted lists once, when their message is decoded, so that reading them needs no checks.
#include "wire/values.h"

namespace shoal::wire {

Value ValueList::at(std::size_t i) const {
  if (i >= count_) return std::nullopt;
  Iterator it = begin();
  for (; i > 0; --i) ++it;
  return *it;
}

ValueList ValueList::take(Cursor& in, std::size_t count) {
  const std::string_view start = in.rest();
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    const std::int32_t length = in.i32();
    if (length >= 0) {
      in.bytes(static_cast<std::size_t>(length));
    } else if (length != -1) {
      in.bytes(start.size() + 1);  // any other negative length is malformed: fails the cursor
    }
  }
  if (!in.ok()) return {};
  return ValueList(start.substr(0, start.size() - in.rest().size()), count);
}

void append_values(std::string& out, std::span<const Value> values) {
  for (const Value& value : values) {
    append_u32(out, value ? static_cast<std::uint32_t>(value->size()) : 0xffffffffu);
    if (value) out.append(*value);
  }
}

}  // namespace shoal::wire
