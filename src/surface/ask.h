// Asking a running router by SQL, for commands.
// Thread rule: one thread; blocks.
#pragma once
#include <string>

#include "base/result.h"
#include "surface/print.h"

namespace shoal::surface {

// The option's value, else SHOAL_URL, else the development cluster.
Result<std::string> router_url(const std::string& option);
Result<Sheet> ask_router(const std::string& url_option, const std::string& sql);

}  // namespace shoal::surface
