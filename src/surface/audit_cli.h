// shoal audit: is every row on the shard where its key says?
// Thread rule: one thread.
#pragma once

namespace CLI {
class App;
}

namespace shoal::surface {

// `status`: 0 every row is in place, 1 an error, 2 some rows are not, 3 stopped.
void add_audit_command(CLI::App& app, int& status);

}  // namespace shoal::surface
