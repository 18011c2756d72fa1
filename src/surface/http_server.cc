// The loop over requests of one connection.
#include "surface/http_server.h"

#include "surface/http.h"

namespace shoal::surface {
namespace {

constexpr io::Milliseconds kPatience{30'000};

io::Task<HttpResponse> respond(const HttpRequest& request, const CollectFacts& collect) {
  AdminFacts facts;
  if (needs_facts(request)) facts = co_await collect();
  co_return answer_http(request, facts);
}

}  // namespace

io::Task<> serve_http(io::StreamPtr stream, CollectFacts collect) {
  std::string input;
  std::array<char, 4096> chunk;
  for (bool open = true; open;) {
    std::size_t taken = 0;
    const auto step = parse_http(input, &taken);
    HttpRequest request;
    HttpResponse response;
    if (std::holds_alternative<HttpNeedMore>(step)) {
      const auto read =
          co_await stream->read_some(chunk.data(), chunk.size(), io::Deadline::in(kPatience));
      if (!read || *read == 0) break;
      input.append(chunk.data(), *read);
      continue;
    }
    if (const auto* bad = std::get_if<HttpBad>(&step)) {
      response = {bad->status, HttpResponse().type, "bad request\n"};
    } else {
      request = std::get<HttpRequest>(step);
      response = co_await respond(request, collect);
    }
    input.erase(0, taken);
    open = request.keep_alive;
    const std::string bytes = encode_http(response, request);
    const auto written = co_await stream->write(bytes, io::Deadline::in(kPatience));
    if (!written) break;
  }
  stream->close();
}

}  // namespace shoal::surface
