// Requests, responses and metrics without a socket.
#include "surface/http.h"

#include <gtest/gtest.h>

namespace shoal::surface {
namespace {

std::string parsed(std::string_view bytes) {
  std::size_t taken = 0;
  const auto step = parse_http(bytes, &taken);
  if (std::holds_alternative<HttpNeedMore>(step)) return "more";
  if (const auto* bad = std::get_if<HttpBad>(&step)) return fmt::format("bad {}", bad->status);
  const auto& request = std::get<HttpRequest>(step);
  return fmt::format("{} {} {} {}", request.method, request.path,
                     request.keep_alive ? "keep" : "close", taken);
}

TEST(Http, requests_are_read_as_they_arrive) {
  const std::string request = "GET /metrics?x=1 HTTP/1.1\r\nHost: h\r\n\r\n";
  for (std::size_t i = 0; i < request.size(); ++i) {
    EXPECT_EQ(parsed(std::string_view(request).substr(0, i)), "more") << i;
  }
  const std::string expected = fmt::format("GET /metrics keep {}", request.size());
  EXPECT_EQ(parsed(request), expected);
  EXPECT_EQ(parsed(request + request), expected) << "the second request is left";
  EXPECT_EQ(parsed("HEAD / HTTP/1.0\r\n\r\n"), "HEAD / close 19");
}

TEST(Http, what_is_no_request_is_refused) {
  EXPECT_EQ(parsed("\x16\x03\x01 TLS\r\n\r\n"), "bad 400");
  EXPECT_EQ(parsed("GET\r\n\r\n"), "bad 400");
  EXPECT_EQ(parsed("GET / HTTP/1.1\r\nX: " + std::string(2 * kMaxHttpRequest, 'x')), "bad 431");
}

AdminFacts some_facts() {
  AdminFacts facts;
  facts.version = "Shoal 1";
  facts.epoch = 7;
  facts.pools = {{"s\"1", "app", 1, 2, 0, 3, 4, 0, 0, 1'500'000}};
  facts.stats = {{"app", {5, 6, 7, 8, 2'000'000, 0, 0}, {}, 0}};
  facts.databases = {{"s1", "h", "1", "app", 1, 1, 1, false, true}};
  facts.routes.pulled = 9;
  facts.config = {{"catalog.dsn", "secret", "", false}};
  return facts;
}

HttpResponse get(const std::string& path, const AdminFacts& facts = some_facts()) {
  return answer_http({"GET", path, true}, facts);
}

TEST(Http, metrics_are_openmetrics) {
  const std::string text = get("/metrics").body;
  for (const char* line :
       {"shoal_info{version=\"Shoal 1\"} 1\n", "shoal_catalog_epoch 7\n",
        "shoal_pool_clients_waiting{shard=\"s\\\"1\",role=\"app\"} 2\n",
        "shoal_pool_servers{shard=\"s\\\"1\",role=\"app\",state=\"idle\"} 4\n",
        "shoal_pool_longest_wait_seconds{shard=\"s\\\"1\",role=\"app\"} 1.5\n",
        "shoal_shard_visible{shard=\"s1\"} 0\n", "# TYPE shoal_transactions counter\n",
        "shoal_transactions_total 5\n", "shoal_client_sent_bytes_total 8\n",
        "shoal_transaction_seconds_total 2\n", "shoal_statements_pulled_total 9\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " in\n" << text;
  }
  EXPECT_TRUE(text.ends_with("# EOF\n"));
}

TEST(Http, readiness_follows_the_state_and_health_does_not) {
  AdminFacts facts;
  EXPECT_EQ(get("/readyz", facts).status, 200);
  facts.state = "shutting_down";
  EXPECT_EQ(get("/readyz", facts).status, 503);
  EXPECT_EQ(get("/healthz", facts).status, 200);
  EXPECT_FALSE(needs_facts({"GET", "/healthz", true}));
  EXPECT_TRUE(needs_facts({"GET", "/metrics", true}));
}

TEST(Http, tables_are_json_and_settings_are_not_served) {
  EXPECT_NE(get("/api/pools").body.find("\"sv_idle\": \"4\""), std::string::npos);
  EXPECT_EQ(get("/api/state").body, "[{\"key\": \"state\", \"value\": \"active\"}]\n");
  EXPECT_EQ(get("/api/config").status, 404);
  EXPECT_EQ(get("/nowhere").status, 404);
  EXPECT_EQ(answer_http({"POST", "/metrics", true}, {}).status, 405);
}

TEST(Http, every_path_of_the_dashboard_exists) {
  const std::string page = get("/").body;
  for (const char* name : {"databases", "pools", "stats", "clients"}) {
    EXPECT_NE(page.find(std::string(name) + ": ["), std::string::npos);
    EXPECT_EQ(get(std::string("/api/") + name).status, 200);
  }
}

TEST(Http, a_response_says_its_length_and_head_has_no_body) {
  const HttpResponse response{200, "text/plain", "hello"};
  const std::string whole = encode_http(response, {"GET", "/", false});
  EXPECT_TRUE(whole.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_NE(whole.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_NE(whole.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(whole.ends_with("\r\n\r\nhello"));
  EXPECT_TRUE(encode_http(response, {"HEAD", "/", true}).ends_with("\r\n\r\n"));
}

}  // namespace
}  // namespace shoal::surface
