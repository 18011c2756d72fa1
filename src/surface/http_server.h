// Serving HTTP on one connection of a core: http.h around a stream.
// Thread rule: the core that the stream lives on.
#pragma once
#include <functional>

#include "io/stream.h"
#include "io/task.h"
#include "surface/admin.h"

namespace shoal::surface {

using CollectFacts = std::function<io::Task<AdminFacts>()>;

// Until the client closes, is silent for half a minute, or sends what is no request.
io::Task<> serve_http(io::StreamPtr stream, CollectFacts collect);

}  // namespace shoal::surface
