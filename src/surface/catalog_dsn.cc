// Option, environment, development cluster.
#include "surface/catalog_dsn.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "surface/dev_state.h"

namespace shoal::surface {

void add_catalog_option(CLI::App& command, std::string& dsn) {
  command.add_option("--catalog", dsn,
                     "Connection string of home, as the service role (or SHOAL_CATALOG; otherwise "
                     "the development cluster)");
}

Result<std::string> catalog_dsn(const std::string& option) {
  if (!option.empty()) return option;
  if (const char* dsn = std::getenv("SHOAL_CATALOG"); dsn != nullptr && *dsn != '\0') {
    return std::string(dsn);
  }
  const auto state = read_state(default_dir());
  if (!state || state->shards.empty()) {
    return make_error("08001", "no catalog is named", {},
                      "use --catalog or SHOAL_CATALOG, or start a development cluster with shoal "
                      "dev up");
  }
  return url_of(state->shards.front(), "postgres");
}

}  // namespace shoal::surface
