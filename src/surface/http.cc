// Requests, metrics, JSON tables.
#include "surface/http.h"

#include <boost/beast/http.hpp>

#include "surface/dashboard.h"
#include "surface/print.h"

namespace shoal::surface {
namespace {

namespace http = boost::beast::http;
using Kind = AdminCommand::Kind;

struct ApiTable {
  std::string_view path;
  Kind kind;
};
constexpr ApiTable kApi[] = {
    {"/api/databases", Kind::kShowDatabases}, {"/api/pools", Kind::kShowPools},
    {"/api/clients", Kind::kShowClients},     {"/api/servers", Kind::kShowServers},
    {"/api/stats", Kind::kShowStats},         {"/api/state", Kind::kShowState},
    {"/api/version", Kind::kShowVersion},
};

HttpResponse plain(int status, std::string text) {
  return {status, HttpResponse().type, text};
}

HttpResponse json_table(Kind kind, const AdminFacts& facts) {
  AdminCommand command;
  command.kind = kind;
  AdminTable table = admin_rows(command, facts);
  Sheet sheet;
  for (const AdminColumn& column : table.columns) sheet.columns.emplace_back(column.name);
  sheet.rows = std::move(table.rows);
  return {200, "application/json", print_json(sheet)};
}

// A label's value: backslash, quote and line feed are escaped.
std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

// One family of samples in the text format of OpenMetrics 1.0.
class Family {
 public:
  Family(std::string& out, std::string_view name, std::string_view type, std::string_view help)
      : out_(out),
        name_(name),
        suffix_(type == "counter" ? "_total"
                : type == "info"  ? "_info"
                                  : "") {
    out += fmt::format("# TYPE {0} {1}\n# HELP {0} {2}\n", name, type, help);
  }
  template <class Number>
  void sample(std::string_view labels, Number value) {
    out_ += labels.empty() ? fmt::format("{}{} {}\n", name_, suffix_, value)
                           : fmt::format("{}{}{{{}}} {}\n", name_, suffix_, labels, value);
  }

 private:
  std::string& out_;
  std::string_view name_, suffix_;
};

void print_pool_metrics(std::string& out, const AdminFacts& facts) {
  const auto labels = [](const PoolFacts& p) {
    return fmt::format("shard=\"{}\",role=\"{}\"", label(p.database), label(p.user));
  };
  Family waiting(out, "shoal_pool_clients_waiting", "gauge",
                 "Clients that wait for a server connection");
  for (const PoolFacts& p : facts.pools) waiting.sample(labels(p), p.clients_waiting);
  Family wait(out, "shoal_pool_longest_wait_seconds", "gauge", "Longest wait of a client now");
  for (const PoolFacts& p : facts.pools) {
    wait.sample(labels(p), static_cast<double>(p.longest_wait_us) / 1e6);
  }
  Family servers(out, "shoal_pool_servers", "gauge", "Server connections by state");
  for (const PoolFacts& p : facts.pools) {
    servers.sample(labels(p) + ",state=\"active\"", p.servers_active);
    servers.sample(labels(p) + ",state=\"idle\"", p.servers_idle);
    servers.sample(labels(p) + ",state=\"login\"", p.servers_login);
  }
}

void print_totals(std::string& out, const StatCounters& sum, const RouteCounters& routes) {
  const auto counter = [&out](std::string_view name, std::string_view help, auto value) {
    Family(out, name, "counter", help).sample("", value);
  };
  const auto seconds = [](std::int64_t us) { return static_cast<double>(us) / 1e6; };
  counter("shoal_transactions", "Transactions ended", sum.transactions);
  counter("shoal_statements", "Statements executed", sum.queries);
  counter("shoal_statements_one_shard", "Statements forwarded to one shard", routes.one_shard);
  counter("shoal_statements_several_shards", "Statements run on several shards and merged",
          routes.several_shards);
  counter("shoal_statements_pulled", "Statements finished in a workspace", routes.pulled);
  counter("shoal_statements_refused", "Numbered refusals", routes.refused);
  counter("shoal_client_received_bytes", "Bytes received from clients", sum.bytes_in);
  counter("shoal_client_sent_bytes", "Bytes sent to clients", sum.bytes_out);
  counter("shoal_transaction_seconds", "Time in transactions", seconds(sum.transaction_us));
  counter("shoal_statement_seconds", "Time in statements", seconds(sum.query_us));
  counter("shoal_pool_wait_seconds", "Time waited for server connections", seconds(sum.wait_us));
}

}  // namespace

std::variant<HttpRequest, HttpNeedMore, HttpBad> parse_http(std::string_view buffer,
                                                            std::size_t* taken) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(kMaxHttpRequest);
  boost::beast::error_code error;
  *taken = parser.put(boost::asio::buffer(buffer.data(), buffer.size()), error);
  if (error == http::error::need_more) return HttpNeedMore{};
  if (error == http::error::header_limit) return HttpBad{431};
  if (error) return HttpBad{400};
  if (!parser.is_done()) return HttpNeedMore{};
  const auto& message = parser.get();
  HttpRequest request;
  request.method = std::string(message.method_string());
  const std::string target(message.target());
  request.path = target.substr(0, target.find('?'));
  request.keep_alive = message.keep_alive();
  return request;
}

bool needs_facts(const HttpRequest& request) {
  return request.path == "/metrics" || request.path == "/readyz" ||
         request.path.starts_with("/api/");
}

HttpResponse answer_http(const HttpRequest& request, const AdminFacts& facts) {
  if (request.method != "GET" && request.method != "HEAD") return plain(405, "only GET\n");
  if (request.path == "/healthz") return plain(200, "ok\n");
  if (request.path == "/readyz") {
    return facts.state == "active" ? plain(200, "ready\n") : plain(503, facts.state + "\n");
  }
  if (request.path == "/metrics") {
    return {200, "application/openmetrics-text; version=1.0.0; charset=utf-8",
            print_metrics(facts)};
  }
  if (request.path == "/") return {200, "text/html; charset=utf-8", std::string(kDashboard)};
  for (const ApiTable& table : kApi) {
    if (request.path == table.path) return json_table(table.kind, facts);
  }
  return plain(404, "not found; there are / /metrics /healthz /readyz /api/pools ...\n");
}

std::string encode_http(const HttpResponse& response, const HttpRequest& request) {
  const std::string_view reason =
      http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)));
  std::string out = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\nConnection: {}\r\n\r\n",
      response.status, reason, response.type, response.body.size(),
      request.keep_alive ? "keep-alive" : "close");
  if (request.method != "HEAD") out += response.body;
  return out;
}

std::string print_metrics(const AdminFacts& facts) {
  std::string out;
  Family(out, "shoal", "info", "The version that runs")
      .sample(fmt::format("version=\"{}\"", label(facts.version)), 1);
  Family(out, "shoal_catalog_epoch", "gauge", "Epoch of the catalog in use")
      .sample("", facts.epoch);
  Family(out, "shoal_clients_connected", "gauge", "Client connections that are open")
      .sample("", facts.clients.size());
  Family(out, "shoal_servers_connected", "gauge", "Server connections that are open")
      .sample("", facts.servers.size());
  Family shards(out, "shoal_shard_visible", "gauge", "1 for a shard that statements may use");
  for (const DatabaseFacts& d : facts.databases) {
    shards.sample(fmt::format("shard=\"{}\"", label(d.name)), d.disabled ? 0 : 1);
  }
  print_pool_metrics(out, facts);
  StatCounters sum;
  for (const StatFacts& s : facts.stats) sum += s.now;
  print_totals(out, sum, facts.routes);
  return out + "# EOF\n";
}

}  // namespace shoal::surface
