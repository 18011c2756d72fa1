// BLAKE2b keyed with the salt, eight bytes, big-endian, modulo the number of shards.
#include "client/shard_for.h"

#include "keys/digest.h"

namespace shoal::client {

Result<std::uint32_t> shard_for(std::string_view key, std::uint32_t num_shards,
                                std::string_view salt) {
  if (num_shards == 0) return refuse(Refusal::kKeyFunction, "there must be at least one shard");
  if (salt.size() > 64) return refuse(Refusal::kKeyFunction, "salt is longer than 64 bytes");
  std::uint64_t hash = keys::Blake2b(salt, 8).first64(key);
  return static_cast<std::uint32_t>(hash % num_shards);
}

Result<std::uint32_t> shard_for(std::int64_t key, std::uint32_t num_shards, std::string_view salt) {
  return shard_for(std::to_string(key), num_shards, salt);
}

std::string shard_alias(std::uint32_t shard) {
  return "shard_" + std::to_string(shard);
}

}  // namespace shoal::client
