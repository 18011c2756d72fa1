// The stand-ins for a session's connections and COPY.
#include "control/command_fixture.h"

#include "control/rows.h"

namespace shoal::control {
namespace {

// One line of COPY's text format -> fields.
std::vector<std::optional<std::string>> fields_of(std::string_view line) {
  std::vector<std::optional<std::string>> out;
  std::string field;
  bool null = false;
  const auto end_field = [&] {
    out.push_back(null ? std::nullopt : std::optional(field));
    field.clear();
    null = false;
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\t') {
      end_field();
    } else if (line[i] == '\\' && i + 1 < line.size()) {
      const char c = line[++i];
      if (c == 'N')
        null = true;
      else
        field.push_back(c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c);
    } else {
      field.push_back(line[i]);
    }
  }
  end_field();
  return out;
}

}  // namespace

io::Task<Result<std::uint64_t>> TestRunner::copy_rows(
    ShardId from, std::string copy_out_sql, std::string copy_in_sql, std::vector<ShardId>,
    std::function<Result<std::vector<ShardId>>(const std::vector<std::optional<std::string>>&)>
        route) {
  auto data = shards.at(from).copy_out(copy_out_sql);
  if (!data) co_return std::move(data).error();
  std::map<ShardId, std::string> parts;
  std::uint64_t sent = 0;
  std::string_view rest = *data;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    auto targets = route(fields_of(line));
    if (!targets) co_return std::move(targets).error();
    for (const ShardId t : *targets) parts[t].append(line).push_back('\n');
    sent += targets->size();
  }
  for (const auto& [shard, text] : parts) {
    auto done = shards.at(shard).copy_in(copy_in_sql, text);
    if (!done) co_return std::move(done).error();
  }
  co_return sent;
}

void ClusterTest::SetUp() {
  servers_ = PgServers::get(2);
  if (!servers_) GTEST_SKIP() << "PostgreSQL is not installed";
  static int n = 0;
  suffix_ = std::to_string(++n);
  home_dsn_ = servers_->create_database(0, "c_one" + suffix_);
  const std::string two = servers_->create_database(1, "c_two" + suffix_);
  const std::string three = servers_->create_database(0, "c_three" + suffix_);
  spare_dsn_ = servers_->create_database(1, "c_four" + suffix_);
  const auto made = init(home_dsn_, "test", {{"s1", home_dsn_}, {"s2", two}, {"s3", three}});
  ASSERT_TRUE(made) << made.error().message << made.error().detail;
  int id = 0;
  for (const std::string& dsn : {home_dsn_, two, three}) {
    runner_.shards[ShardId(++id)] =
        *Pq::connect(PgServers::as_user(dsn, "app"), std::chrono::seconds(5));
  }
  everywhere("SET search_path = public");
  store_.dsn = home_dsn_;
  auto service = Pq::connect(home_dsn_, std::chrono::seconds(5));
  store_.secret_text = *read_secret(*service);
  reload();
}

void ClusterTest::everywhere(const std::string& text) {
  for (auto& [id, c] : runner_.shards) {
    const auto done = c.query(text);
    ASSERT_TRUE(done) << text << ": " << done.error().message;
  }
}

void ClusterTest::reload() {
  auto service = Pq::connect(home_dsn_, std::chrono::seconds(5));
  auto loaded = load_snapshot(*service, store_.committed);
  ASSERT_TRUE(loaded) << loaded.error().message << " " << loaded.error().detail;
  store_.committed = *loaded;
}

std::string ClusterTest::value(Pq& c, const std::string& text) {
  const auto rows = c.query(text);
  if (!rows) return rows.error().sqlstate;
  return rows->rows.empty() ? "" : rows->rows[0][0].value_or("null");
}

std::string ClusterTest::values(const std::string& text) {
  std::string out;
  for (auto& [id, c] : runner_.shards) out += (out.empty() ? "" : "|") + value(c, text);
  return out;
}

Result<TextRows> ClusterTest::call_inside(const std::string& schema, const std::string& name,
                                          std::vector<std::optional<std::string>> arguments) {
  Commands commands(store_);
  CallArguments a{schema, name, std::move(arguments), {}};
  return run_now(commands.call(runner_, store_.committed, change_, CallContext{}, std::move(a)));
}

std::string ClusterTest::call(const std::string& schema, const std::string& name,
                              std::vector<std::optional<std::string>> arguments) {
  Commands commands(store_);
  everywhere("BEGIN");
  auto answer = call_inside(schema, name, std::move(arguments));
  if (answer) {
    auto ready = run_now(commands.before_commit(runner_, store_.committed, change_));
    if (!ready) answer = ready.error();
  }
  everywhere(answer ? "COMMIT" : "ROLLBACK");
  run_now(commands.finish(change_, answer.has_value()));
  reload();
  if (!answer) {
    return answer.error().sqlstate + " " +
           (answer.error().detail.empty() ? answer.error().message : answer.error().detail);
  }
  std::string out;
  for (const auto& field : answer->rows.at(0)) out += (out.empty() ? "" : " ") + field.value_or("");
  return out.empty() ? "ok" : out;
}

}  // namespace shoal::control
