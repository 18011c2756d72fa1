// Commands that ask a running router by SQL: shoal where, route, shard, table, keyspace, jobs.
// Everything they do can be done from psql; they only spare the typing.
// Thread rule: one thread.
#pragma once

namespace CLI {
class App;
}

namespace shoal::surface {

// `status` is set to the exit status when one of the commands has run.
void add_cluster_commands(CLI::App& app, int& status);

}  // namespace shoal::surface
