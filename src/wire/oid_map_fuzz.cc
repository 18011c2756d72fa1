// Values and messages of strangers whose oids are replaced: nothing is read beyond the buffer, and
// mapping there and back gives the same bytes when the map loses nothing.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/oid_map.h"

using namespace shoal::wire;

namespace {

// Every oid from 20000 to 20007 has its own kind of value.
OidMap example() {
  OidMap map;
  for (std::uint32_t i = 0; i < 8; ++i) {
    const auto shape = static_cast<OidShape>(i % 7);
    map.to_home.add_type(20000 + i, {30000 + i, shape, 20000 + (i + 3) % 8});
    map.to_shard.add_type(30000 + i, {20000 + i, shape, 30000 + (i + 3) % 8});
    map.to_home.add_relation(20000 + i, 30000 + i);
    map.to_shard.add_relation(30000 + i, 20000 + i);
  }
  return map;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const OidMap map = example();
  const std::string original(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto with = [&](auto run) {
    std::string copy = original;
    run(Bytes(copy.data(), copy.size()));
    return copy;
  };
  const std::uint32_t type = 20000 + data[0] % 8;
  bool mapped = false;
  std::string there = with([&](Bytes b) { mapped = map_value(b, type, map.to_home); });
  if (there.size() != original.size()) std::abort();
  if (mapped && !map.missed()) {
    const bool back = map_value(Bytes(there.data(), there.size()), type + 10000, map.to_shard);
    if (!back || (!map.missed() && there != original)) std::abort();
  }
  OidColumns columns;
  const std::uint32_t types[] = {type, type, 0, 2249};
  with([&](Bytes b) { (void)map_row_description(b, map.to_home, columns); });
  with([&](Bytes b) { (void)map_data_row(b, {type, 0, 2249, type}, map.to_home); });
  with([&](Bytes b) { (void)map_bind(b, types, map.to_shard); });
  with([&](Bytes b) { (void)map_parse(b, map.to_shard); });
  with([&](Bytes b) { (void)map_parameter_description(b, map.to_home); });
  return 0;
}
