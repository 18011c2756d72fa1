// `shoal dev up | down | status | url | psql | add`: the commands around dev_cluster.h.
// Thread rule: one thread.
#pragma once

namespace CLI {
class App;
}

namespace shoal::surface {

// Adds the subcommand. `status` is set to the exit status when one of its commands has run; it and
// `app` must outlive parsing.
void add_dev_commands(CLI::App& app, int& status);

}  // namespace shoal::surface
