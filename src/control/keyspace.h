// Keyspaces: creating one, and the default ones, which tables share without naming them.
// Thread rule: one core; coroutines whose Work outlives them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "control/work.h"
#include "keys/value.h"

namespace shoal::control {

inline constexpr std::uint32_t kDefaultSlots = 4096;

// "default_int8"; with another number of slots "default_int8_32"; "default_int8_text" for two.
std::string default_keyspace_name(const std::vector<keys::KeyType>& types, std::uint32_t slots);

// Slots go to the active shards as the function's scheme says, otherwise in contiguous ranges by
// name. The snapshot of `work` knows the keyspace afterwards.
io::Task<Result<>> create_keyspace(Work& work, std::string name, std::string function,
                                   std::string params, std::vector<keys::KeyType> types);

// The default keyspace of these key types (of their families), created when it is missing.
io::Task<Result<KeyspaceId>> default_keyspace(Work& work, std::vector<keys::KeyType> types,
                                              std::uint32_t slots);

// Reads a key of one column; what only a server can read is asked from home.
io::Task<Result<keys::KeyValue>> read_key(Work& work, keys::KeyType type, std::string text);

}  // namespace shoal::control
