// Commands that need no router: shoal init, keys check, refusals.
// Thread rule: one thread.
#pragma once
#include <string>

namespace CLI {
class App;
}

namespace shoal::surface {

// `status` is set to the exit status when one of the commands has run.
void add_local_commands(CLI::App& app, int& status);

// The page of all refusals: number, SQLSTATE, message and way out, as Markdown.
std::string refusals_markdown();

}  // namespace shoal::surface
