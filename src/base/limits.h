// Every bound of the router by name. The settings table of app/ fills them; each says what happens
// at the limit. Values only; a session copies what it needs when it begins.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace shoal {

struct Limits {
  std::size_t statement_bytes = 4u << 20;    // longer text: SH0601, unless it is COPY data
  int sql_depth = 1500;                      // nesting of the parsed tree: SH0602
  std::size_t message_bytes = 1u << 30;      // one protocol message: 08P01 and close
  std::size_t pipeline_bytes = 64u << 20;    // bytes between two Syncs: SH0609
  std::size_t statements_per_session = 10'000;  // named prepared statements: SH0610
  std::size_t clients = 10'000;              // SH0607
  std::size_t server_connections = 60;       // per shard, whole router; then clients wait
  std::chrono::milliseconds pool_wait{30'000};   // SH0608
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds login_timeout{60'000};
  std::size_t pull_bytes = 1u << 30;         // SH0603
  std::uint64_t pull_rows = 50'000'000;      // SH0604
  std::chrono::milliseconds pull_time{300'000};  // SH0605
  std::size_t portal_bytes = 64u << 20;      // SH0606
  std::size_t plan_cache_entries = 5'000;    // per core; then least recently used goes
  std::size_t group_bytes = 64u << 20;       // partial groups combined in the router: SH0611
  std::size_t merge_buffer_bytes = 256u << 10;  // per shard and statement; then back-pressure
};

}  // namespace shoal
