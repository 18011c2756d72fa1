// shoal keyspace show and test: a keyspace as a picture, and whether it says what the servers say.
// Thread rule: one thread; the picture is a pure function.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace shoal::surface {

struct SlotRun {
  std::uint64_t first = 0, last = 0;
  std::string shard;
};

// One character for each stretch of slots: the shard's letter (by its place in `shards`), '.' where
// nobody owns a slot, '+' where several shards share the stretch.
std::string slot_picture(std::uint64_t slots, const std::vector<SlotRun>& runs,
                         const std::vector<std::string>& shards, std::size_t width);
char shard_letter(std::size_t index);

// Adds to the command "keyspace". `status`: 0 well, 1 an error, 2 the test found a difference.
void add_keyspace_show_and_test(CLI::App& keyspace, int& status);

}  // namespace shoal::surface
