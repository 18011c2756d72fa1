// PostgreSQL's hash functions of the key types, as little-endian servers compute them: the 32-bit
// ones (hashint4, hashtext, ...: hash joins, Citus) and the seeded 64-bit ones (hashint4extended,
// ...: PARTITION BY HASH). Bob Jenkins' lookup3 underneath (src/common/hashfn.c).
// Thread rule: pure functions.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "keys/value.h"

namespace shoal::keys {

inline constexpr std::uint64_t kPartitionSeed = 0x7A5B22367996DCFDu;  // HASH_PARTITION_SEED

std::uint32_t pg_hash_bytes(std::string_view bytes);
std::uint64_t pg_hash_bytes_seeded(std::string_view bytes, std::uint64_t seed);
std::uint32_t pg_hash_uint32(std::uint32_t k);
std::uint64_t pg_hash_uint32_seeded(std::uint32_t k, std::uint64_t seed);

// The default hash function of the value's type; the value must not be NULL.
std::int32_t pg_hash32(const KeyValue& value);
std::uint64_t pg_hash64(const KeyValue& value, std::uint64_t seed = kPartitionSeed);

// The row hash of a hash-partitioned table: NULL columns are left out.
std::uint64_t pg_row_hash(std::span<const KeyValue> key);

}  // namespace shoal::keys
