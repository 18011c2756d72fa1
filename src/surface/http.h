// The HTTP side of a router as pure functions: request bytes -> request, request and facts ->
// response. Paths: / (dashboard), /metrics (OpenMetrics), /healthz, /readyz, /api/<table> (JSON of
// what SHOW prints). Read-only; without TLS and login, so it listens on loopback unless told
// otherwise, and shows no setting.
// Thread rule: pure functions.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "surface/admin.h"

namespace shoal::surface {

struct HttpRequest {
  std::string method, path;  // path without query
  bool keep_alive = false;
};
struct HttpNeedMore {};
struct HttpBad {
  int status = 400;
};
inline constexpr std::size_t kMaxHttpRequest = 8 << 10;

// Reads one request without a body from the front of `buffer`; `taken` is set to its length.
std::variant<HttpRequest, HttpNeedMore, HttpBad> parse_http(std::string_view buffer,
                                                            std::size_t* taken);

struct HttpResponse {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};
// Whether answering needs facts of all cores; /healthz does not.
bool needs_facts(const HttpRequest& request);
HttpResponse answer_http(const HttpRequest& request, const AdminFacts& facts);

// Status line, headers and, unless the request was HEAD, the body.
std::string encode_http(const HttpResponse& response, const HttpRequest& request);

// What /metrics prints; names are those of obs/metrics.h where they mean the same.
std::string print_metrics(const AdminFacts& facts);

}  // namespace shoal::surface
