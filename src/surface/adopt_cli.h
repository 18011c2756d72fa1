// shoal adopt: looks at databases that an application shards by hand, and makes a cluster of them
// without moving a row.
// Thread rule: one thread.
#pragma once

namespace CLI {
class App;
}

namespace shoal::surface {

// `status` is set to the exit status when the command has run: 0 well, 1 an error, 2 problems that
// the operator must decide about.
void add_adopt_command(CLI::App& app, int& status);

}  // namespace shoal::surface
