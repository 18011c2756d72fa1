// One connection for each question.
#include "surface/ask.h"

#include <cstdlib>

#include "control/pq.h"
#include "surface/dev_state.h"

namespace shoal::surface {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout{10'000};

}  // namespace

Result<std::string> router_url(const std::string& option) {
  if (!option.empty()) return option;
  if (const char* url = std::getenv("SHOAL_URL"); url != nullptr && *url != '\0') {
    return std::string(url);
  }
  const auto state = read_state(default_dir());
  if (!state) {
    return make_error("08001", "no router is named", {},
                      "use --url or SHOAL_URL, or start a development cluster with shoal dev up");
  }
  return url_of(*state);
}

Result<Sheet> ask_router(const std::string& url_option, const std::string& sql) {
  const auto url = router_url(url_option);
  if (!url) return url.error();
  auto router = control::Pq::connect(*url, kConnectTimeout, "shoal");
  if (!router) return std::move(router).error();
  auto rows = router->query(sql);
  if (!rows) return std::move(rows).error();
  return Sheet{std::move(rows->columns), std::move(rows->rows)};
}

}  // namespace shoal::surface
