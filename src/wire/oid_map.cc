// Finding oids in messages and values.
#include "wire/oid_map.h"

#include <algorithm>

namespace shoal::wire {
namespace {

// Composites in arrays in composites...: PostgreSQL's own stack ends sooner.
constexpr int kDeepest = 500;

// Reads like wire::Cursor, and can write a number where it read one.
class Patcher {
 public:
  explicit Patcher(Bytes bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }
  bool at_end() const { return rest_.empty(); }

  Bytes bytes(std::size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const Bytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  std::uint32_t number(std::size_t width) {
    std::uint32_t value = 0;
    for (const char c : bytes(width)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  // A u32 that `change` replaces; what it was comes back.
  template <class Change>
  std::uint32_t change(Change change) {
    const Bytes raw = bytes(4);
    if (!ok_) return 0;
    std::uint32_t value = 0;
    for (const char c : raw) value = value << 8 | static_cast<unsigned char>(c);
    const std::uint32_t now = change(value);
    for (std::size_t i = 0; i < 4; ++i) raw[i] = static_cast<char>(now >> (24 - 8 * i));
    return value;
  }
  std::string_view cstring() {
    const auto end = std::find(rest_.begin(), rest_.end(), '\0');
    if (end == rest_.end()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const auto length = static_cast<std::size_t>(end - rest_.begin());
    const std::string_view text(rest_.data(), length);
    rest_ = rest_.subspan(length + 1);
    return text;
  }

 private:
  Bytes rest_;
  bool ok_ = true;
};

bool map_within(Bytes value, std::uint32_t type, const OidDirection& map, int depth);

// One `value` of the grammar; null is no value.
bool map_member(Patcher& in, std::uint32_t type, const OidDirection& map, int depth) {
  const auto length = static_cast<std::int32_t>(in.number(4));
  if (!in.ok() || length < -1) return false;
  if (length == -1) return true;
  const Bytes value = in.bytes(static_cast<std::size_t>(length));
  return in.ok() && map_within(value, type, map, depth);
}

bool map_members(Patcher& in, std::uint32_t type, const OidDirection& map, int depth) {
  if (!map.holds_oids(type)) return in.ok();
  while (in.ok() && !in.at_end())
    if (!map_member(in, type, map, depth)) return false;
  return in.ok();
}

std::uint32_t map_type(Patcher& in, const OidDirection& map) {
  return in.change([&](std::uint32_t oid) { return map.type(oid).other; });
}

bool map_array(Patcher& in, const OidDirection& map, int depth) {
  const std::uint32_t dimensions = in.number(4);
  in.number(4);
  const std::uint32_t element = map_type(in, map);
  in.bytes(std::size_t{8} * dimensions);
  return map_members(in, element, map, depth);
}

bool map_record(Patcher& in, const OidDirection& map, int depth) {
  std::uint32_t fields = in.number(4);
  for (; in.ok() && fields > 0; --fields) {
    const std::uint32_t type = map_type(in, map);
    if (!map_member(in, type, map, depth)) return false;
  }
  return in.done();
}

bool map_within(Bytes value, std::uint32_t type, const OidDirection& map, int depth) {
  const MappedType what = map.type(type);
  if (what.shape == OidShape::kNone) return true;
  if (depth > kDeepest) return false;
  Patcher in(value);
  switch (what.shape) {
    case OidShape::kNone:
      return true;
    case OidShape::kArray:
      return map_array(in, map, depth + 1);
    case OidShape::kRecord:
      return map_record(in, map, depth + 1);
    case OidShape::kRange:
      in.number(1);
      return map_members(in, what.inner, map, depth + 1);
    case OidShape::kMultirange:
      in.number(4);
      return map_members(in, what.inner, map, depth + 1);
    case OidShape::kType:
      map_type(in, map);
      return in.done();
    case OidShape::kRelation:
      in.change([&](std::uint32_t oid) { return map.relation(oid); });
      return in.done();
  }
  return false;
}

OidShape builtin_shape(std::uint32_t type) {
  switch (type) {
    case 2249:  // record
      return OidShape::kRecord;
    case 2287:  // record[]
    case 2277:  // anyarray, of pg_statistic
    case 2210:  // regclass[]
    case 2211:  // regtype[]
      return OidShape::kArray;
    case 2205:
      return OidShape::kRelation;
    case 2206:
      return OidShape::kType;
    default:
      return OidShape::kNone;
  }
}

}  // namespace

MappedType OidDirection::type(std::uint32_t oid) const {
  if (oid < kFirstUserOid) return {oid, builtin_shape(oid), 0};
  const auto found = types_.find(oid);
  if (found != types_.end()) return found->second;
  missed_ = true;
  return {missing_type_, OidShape::kNone, 0};
}

std::uint32_t OidDirection::relation(std::uint32_t oid) const {
  if (oid < kFirstUserOid) return oid;
  const auto found = relations_.find(oid);
  if (found != relations_.end()) return found->second;
  missed_ = true;
  return 0;
}

bool OidDirection::identity() const {
  return std::all_of(types_.begin(), types_.end(),
                     [](const auto& t) { return t.first == t.second.other; }) &&
         std::all_of(relations_.begin(), relations_.end(),
                     [](const auto& r) { return r.first == r.second; });
}

//   columns:u16 (name:cstring table:u32 attnum:u16 type:u32 size:u16 typmod:u32 format:u16)*
bool map_row_description(Bytes body, const OidDirection& map, OidColumns& columns,
                         bool all_formats) {
  columns.clear();
  Patcher in(body);
  const std::uint32_t count = in.number(2);
  for (std::uint32_t i = 0; in.ok() && i < count; ++i) {
    in.cstring();
    in.change([&](std::uint32_t oid) { return map.relation(oid); });
    in.number(2);
    const std::uint32_t type = map_type(in, map);
    in.bytes(6);
    const bool binary = in.number(2) == 1;
    if (!in.ok() || !(binary || all_formats) || !map.holds_oids(type)) continue;
    columns.resize(i + 1);
    columns[i] = type;
  }
  return in.done();
}

//   types:u16 (type:u32)*
bool map_parameter_description(Bytes body, const OidDirection& map) {
  Patcher in(body);
  for (std::uint32_t count = in.number(2); in.ok() && count > 0; --count) map_type(in, map);
  return in.done();
}

//   name:cstring text:cstring types:u16 (type:u32)*
bool map_parse(Bytes body, const OidDirection& map) {
  Patcher in(body);
  in.cstring();
  in.cstring();
  for (std::uint32_t count = in.number(2); in.ok() && count > 0; --count) map_type(in, map);
  return in.done();
}

//   columns:u16 value*
bool map_data_row(Bytes body, const OidColumns& columns, const OidDirection& map) {
  Patcher in(body);
  const std::uint32_t count = in.number(2);
  for (std::uint32_t i = 0; in.ok() && i < count; ++i) {
    const std::uint32_t type = i < columns.size() ? columns[i] : 0;
    if (!map_member(in, type, map, 0)) return false;
  }
  return in.done();
}

//   portal:cstring statement:cstring formats:u16 (format:u16)* values:u16 value* ...
bool map_bind(Bytes body, std::span<const std::uint32_t> types, const OidDirection& map) {
  Patcher in(body);
  in.cstring();
  in.cstring();
  const std::uint32_t formats = in.number(2);
  Patcher format(in.bytes(std::size_t{2} * formats));
  const std::uint32_t values = in.number(2);
  bool binary = false;
  for (std::uint32_t i = 0; in.ok() && i < values; ++i) {
    if (i < formats) binary = format.number(2) == 1;
    const bool this_one = formats == 1 ? binary : binary && i < formats;
    const std::uint32_t type = this_one && i < types.size() ? types[i] : 0;
    if (!map_member(in, type, map, 0)) return false;
  }
  return in.ok();
}

bool map_value(Bytes value, std::uint32_t type, const OidDirection& map) {
  return map_within(value, type, map, 0);
}

}  // namespace shoal::wire
