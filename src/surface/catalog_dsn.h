// Commands that need the catalog itself and not a router: how its connection string is given.
// Thread rule: one thread.
#pragma once
#include <string>

#include "base/result.h"

namespace CLI {
class App;
}

namespace shoal::surface {

void add_catalog_option(CLI::App& command, std::string& dsn);

// The option's value, else SHOAL_CATALOG, else the development cluster's home shard.
Result<std::string> catalog_dsn(const std::string& option);

}  // namespace shoal::surface
