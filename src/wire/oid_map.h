// Which numbers types and relations that users made have on one shard and on home, and putting one
// for the other into messages. Equal names have unequal oids there; clients know home's only.
// Every replacement has the size of what it replaces, so all of it happens in place.
//
// Values hold oids in binary format only:
//   array      := dimensions:i32 flags:i32 element:u32 (length:i32 lower:i32)* value*
//   composite  := fields:i32 (type:u32 value)*
//   range      := flags:u8 value*           multirange := ranges:i32 value*
//   value      := length:i32 bytes          (-1: null)
// Nothing reads beyond its bytes, whatever they say. A map belongs to one core, since it notes what
// it misses; else const after it was filled.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "wire/frame.h"

namespace shoal::wire {

inline constexpr std::uint32_t kFirstUserOid = 16384;  // PostgreSQL's FirstNormalObjectId
inline constexpr std::uint32_t kUnknownType = 705;     // pg_type's "unknown"

// Where binary values of a type hold oids.
enum class OidShape : std::uint8_t {
  kNone,
  kArray,
  kRecord,
  kRange,       // of the type `inner`
  kMultirange,  // of the range `inner`
  kType,        // the value is a type's oid (regtype)
  kRelation,    // the value is a relation's oid (regclass)
};

struct MappedType {
  std::uint32_t other = 0;  // its oid on the other side
  OidShape shape = OidShape::kNone;
  std::uint32_t inner = 0;  // numbered as the type itself
};

// One direction of a map.
class OidDirection {
 public:
  // `missing_type` stands for types that the other side does not have.
  explicit OidDirection(std::uint32_t missing_type) : missing_type_(missing_type) {}
  void add_type(std::uint32_t oid, MappedType type) { types_[oid] = type; }
  void add_relation(std::uint32_t oid, std::uint32_t other) { relations_[oid] = other; }

  // What PostgreSQL itself made is the same everywhere.
  MappedType type(std::uint32_t oid) const;
  std::uint32_t relation(std::uint32_t oid) const;
  bool holds_oids(std::uint32_t type) const { return this->type(type).shape != OidShape::kNone; }
  bool identity() const;
  // Someone asked for what is not there: the map is older than the schema.
  bool missed() const { return missed_; }

 private:
  std::uint32_t missing_type_;
  mutable bool missed_ = false;
  std::unordered_map<std::uint32_t, MappedType> types_;
  std::unordered_map<std::uint32_t, std::uint32_t> relations_;
};

// A number that no type has: a server refuses it where it would take 0 as "find out yourself".
inline constexpr std::uint32_t kNoType = UINT32_MAX;

struct OidMap {
  OidDirection to_home{kUnknownType};
  OidDirection to_shard{kNoType};
  bool identity() const { return to_home.identity() && to_shard.identity(); }
  bool missed() const { return to_home.missed() || to_shard.missed(); }
};

// By column, the type whose binary values hold oids, or 0; empty when there is none. Numbered as on
// the side where the rows come from.
using OidColumns = std::vector<std::uint32_t>;

using Bytes = std::span<char>;

// Bodies of messages. False: malformed (what came before was replaced already).
// `columns`: of the columns in binary format, or, for a statement's description, of all.
bool map_row_description(Bytes body, const OidDirection& map, OidColumns& columns,
                         bool all_formats = false);
bool map_parameter_description(Bytes body, const OidDirection& map);
bool map_parse(Bytes body, const OidDirection& map);
bool map_data_row(Bytes body, const OidColumns& columns, const OidDirection& map);
// The values of a Bind whose formats are binary; `types` by parameter, unmapped.
bool map_bind(Bytes body, std::span<const std::uint32_t> types, const OidDirection& map);
// One binary value of the type.
bool map_value(Bytes value, std::uint32_t type, const OidDirection& map);

}  // namespace shoal::wire
