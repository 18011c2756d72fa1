// Keys per second of the functions on the data path: one core, keys already parsed.
#include <benchmark/benchmark.h>

#include <memory>

#include "keys/function.h"
#include "keys/slot_map.h"

namespace {

using namespace shoal;
using namespace shoal::keys;

void place_all(benchmark::State& state, const char* name, const char* params, KeyType type) {
  std::shared_ptr<const KeyFunction> function =
      *make_key_function(name, params, std::span(&type, 1));
  std::vector<ShardId> shards = {ShardId(1), ShardId(2), ShardId(3), ShardId(4)};
  Placement placement{function, SlotMap::contiguous(function->slot_count(), shards), {}};
  std::vector<KeyValue> keys;
  for (std::int64_t i = 0; i < 1024; ++i) {
    keys.push_back(type == KeyType::kInt8
                       ? KeyValue::of_integer(type, i * 7919)
                       : KeyValue::of_bytes(type, "user-" + std::to_string(i * 7919)));
  }
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(placement.place(keys[i++ % keys.size()]));
  state.SetItemsProcessed(state.iterations());
}

void parse_all(benchmark::State& state, KeyType type, const char* text) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_text(type, text));
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

BENCHMARK_CAPTURE(place_all, postgres_int8, "postgres", "{}", KeyType::kInt8);
BENCHMARK_CAPTURE(place_all, postgres_text, "postgres", "{}", KeyType::kText);
BENCHMARK_CAPTURE(place_all, mod_floor, "mod_floor", R"({"n": 4, "slots": 4096})", KeyType::kInt8);
BENCHMARK_CAPTURE(place_all, ring_text, "ring", R"({"nodes": ["5432", "5433", "5434"]})",
                  KeyType::kText);
BENCHMARK_CAPTURE(place_all, dorm_int8, "dorm", R"({"n": 4, "slots": 4096})", KeyType::kInt8);
BENCHMARK_CAPTURE(parse_all, int8_text, KeyType::kInt8, "1234567890");
BENCHMARK_CAPTURE(parse_all, uuid_text, KeyType::kUuid, "018f4b8e-37f0-7cc4-b5f2-0f62d09ca662");
