// Shards of applications that chose one by BLAKE2b: the key function "dorm" as one call.
// Thread rule: pure functions.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace shoal::client {

inline constexpr std::string_view kDefaultSalt = "dorm-shard";

// 0 .. num_shards-1. The key is the text that str() gives in Python: an integer and its decimal
// text are the same key. Refused (SH0702): no shards, or a salt of more than 64 bytes.
Result<std::uint32_t> shard_for(std::string_view key, std::uint32_t num_shards,
                                std::string_view salt = kDefaultSalt);
Result<std::uint32_t> shard_for(std::int64_t key, std::uint32_t num_shards,
                                std::string_view salt = kDefaultSalt);

// "shard_0", "shard_1", ...
std::string shard_alias(std::uint32_t shard);

}  // namespace shoal::client
