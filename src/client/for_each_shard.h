// One call for each shard, in parallel: a thread each, at most `max_parallel` at a time.
// Thread rule: the callable is called from several threads at once.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "client/shard_for.h"

namespace shoal::client {

// Returns {name: call(name)}. All calls are made and awaited; then the first exception, in the
// order of the names, is thrown again.
template <class Call>
auto for_each_shard(std::span<const std::string> names, Call call, std::size_t max_parallel = 16) {
  using Value = std::invoke_result_t<Call&, const std::string&>;
  static_assert(!std::is_void_v<Value>, "the callable must return something for each shard");
  std::vector<std::optional<Value>> values(names.size());
  std::vector<std::exception_ptr> errors(names.size());
  std::atomic<std::size_t> next{0};
  auto work = [&] {
    for (std::size_t i = next++; i < names.size(); i = next++) {
      try {
        values[i].emplace(call(names[i]));
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  };
  std::vector<std::thread> threads;
  std::size_t count = std::min(std::max<std::size_t>(max_parallel, 1), names.size());
  for (std::size_t i = 0; i < count; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  std::map<std::string, Value> out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (errors[i]) std::rethrow_exception(errors[i]);
    out.emplace(names[i], std::move(*values[i]));
  }
  return out;
}

// The same for "shard_0" .. "shard_{n-1}".
template <class Call>
auto for_each_shard(std::uint32_t num_shards, Call call, std::size_t max_parallel = 16) {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < num_shards; ++i) names.push_back(shard_alias(i));
  return for_each_shard(std::span<const std::string>(names), std::move(call), max_parallel);
}

}  // namespace shoal::client
