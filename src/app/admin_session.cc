// Serving the admin console: facts from all cores, rows from surface/admin.
#include "app/admin_session.h"

#include <signal.h>
#include <unistd.h>

#include "app/unit.h"
#include "surface/admin.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace shoal::app {
namespace {

using surface::AdminCommand;

std::int64_t ms_since_1970(io::Clock::time_point at) {
  auto ago = std::chrono::duration_cast<std::chrono::milliseconds>(io::Clock::now() - at);
  auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return (now - ago).count();
}

surface::StatCounters counters_of(const exec::Counters& c) {
  surface::StatCounters s;
  s.transactions = static_cast<std::int64_t>(c.transactions);
  s.queries = static_cast<std::int64_t>(c.queries);
  s.bytes_in = static_cast<std::int64_t>(c.bytes_in);
  s.bytes_out = static_cast<std::int64_t>(c.bytes_out);
  s.transaction_us = static_cast<std::int64_t>(c.transaction_us);
  s.query_us = static_cast<std::int64_t>(c.query_us);
  s.wait_us = static_cast<std::int64_t>(c.wait_us);
  return s;
}

// Adds what lives on one core. Runs on that core.
void add_unit(Router::Unit& unit, const std::string& database, surface::AdminFacts& facts,
              obs::KeyLoad& load) {
  for (const backend::PoolCounts& n : unit.context.pool.counts()) {
    auto pool = std::find_if(facts.pools.begin(), facts.pools.end(), [&](const auto& p) {
      return p.database == n.shard_name && p.user == n.key.user;
    });
    if (pool == facts.pools.end()) {
      pool = facts.pools.insert(facts.pools.end(), surface::PoolFacts());
      pool->database = n.shard_name;
      pool->user = n.key.user;
    }
    pool->clients_active += static_cast<std::int64_t>(n.active);
    pool->clients_waiting += static_cast<std::int64_t>(n.waiting);
    pool->servers_active += static_cast<std::int64_t>(n.active);
    pool->servers_idle += static_cast<std::int64_t>(n.idle);
    pool->servers_login += static_cast<std::int64_t>(n.login);
    pool->longest_wait_us =
        std::max<std::int64_t>(pool->longest_wait_us, n.longest_wait.count() * 1000);
  }
  for (const auto& [pid, client] : unit.clients) {
    const session::SessionView& view = client.session->view();
    surface::ConnectionFacts c;
    c.user = view.user;
    c.database = database;
    c.state = view.state;
    c.application = view.application;
    c.address = view.address;
    c.connected_ms = ms_since_1970(view.connected);
    c.request_ms = ms_since_1970(view.since);
    c.id = static_cast<std::uint64_t>(pid);
    c.remote_pid = pid;
    facts.clients.push_back(std::move(c));
  }
  for (const backend::Connection* server : unit.context.pool.connections()) {
    surface::ConnectionFacts c;
    c.database = server->endpoint().name;
    c.user = server->user();
    c.state = server->client.empty() ? "idle" : "active";
    c.address = server->endpoint().host + ":" + server->endpoint().port;
    c.connected_ms = ms_since_1970(server->opened_at);
    c.request_ms = ms_since_1970(server->idle_since);
    c.remote_pid = server->pid();
    c.id = reinterpret_cast<std::uintptr_t>(server);
    facts.servers.push_back(std::move(c));
  }
  surface::StatCounters own = counters_of(unit.context.counters);
  facts.stats.front().now += own;
  const exec::Counters& routed = unit.context.counters;
  facts.routes.one_shard += static_cast<std::int64_t>(routed.one_shard);
  facts.routes.several_shards += static_cast<std::int64_t>(routed.many_shards);
  facts.routes.pulled += static_cast<std::int64_t>(routed.gathered);
  facts.routes.refused += static_cast<std::int64_t>(routed.refused);
  load.merge(unit.context.load);
}

std::string shard_name(const catalog::Snapshot& snapshot, ShardId id) {
  const catalog::Shard* shard = snapshot.shard(id);
  return shard ? shard->name : "";
}

// Who owns the slots from first to last: names, each once.
std::string owners_of(const catalog::Snapshot& snapshot, const keys::SlotMap& map,
                      std::uint32_t first, std::uint32_t last) {
  std::set<std::string> names;
  for (std::uint32_t s = first; s <= last && s < map.slot_count(); ++s) {
    names.insert(shard_name(snapshot, map.owner(Slot(s))));
  }
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

std::vector<surface::KeyFacts> key_facts(const catalog::Snapshot& snapshot,
                                         const obs::KeyLoad& load) {
  constexpr std::size_t kShown = 20;
  std::vector<surface::KeyFacts> out;
  for (const auto& [id, of] : load.keyspaces()) {
    const catalog::Keyspace* k = snapshot.keyspace(KeyspaceId(id));
    if (!k) continue;
    surface::KeyFacts f;
    f.keyspace = k->name;
    f.slots = of.slots;
    f.total = of.keys.total();
    for (const obs::TopKeys::Entry& e : of.keys.top(kShown)) {
      const auto value = keys::parse_text(k->types.at(0), e.key);
      const auto shard = value ? k->placement->place(*value) : Result<ShardId>(value.error());
      f.top.push_back({e.key, shard ? shard_name(snapshot, *shard) : "", e.count, e.error});
    }
    for (std::uint64_t i = 0; i < obs::KeyLoad::kStretches; ++i) {
      // The slots that count() adds to this stretch.
      const auto edge = [&](std::uint64_t n) {
        return static_cast<std::uint32_t>((n * of.slots + obs::KeyLoad::kStretches - 1) /
                                          obs::KeyLoad::kStretches);
      };
      if (edge(i) == edge(i + 1)) continue;
      f.stretches.push_back({edge(i), edge(i + 1) - 1,
                             owners_of(snapshot, k->placement->map, edge(i), edge(i + 1) - 1),
                             of.by_stretch[i]});
    }
    out.push_back(std::move(f));
  }
  return out;
}

// Visits the cores one after the other and comes back.
io::Task<> collect(Router& router, surface::AdminFacts& facts, obs::KeyLoad& load) {
  io::Core& here = io::this_core();
  std::string database = facts.stats.front().database;
  for (const auto& unit : router.units()) {
    io::Event done;
    unit->core.post([&facts, &load, &database, &here, &done, u = unit.get()] {
      add_unit(*u, database, facts, load);
      here.post([&done] { done.set(); });
    });
    co_await done.wait({});
  }
}

}  // namespace

io::Task<surface::AdminFacts> admin_facts(Router& router, Router::Unit& unit) {
  surface::AdminFacts facts;
  facts.version = fmt::format("Shoal {}", SHOAL_VERSION);
  if (router.stopping()) facts.state = "shutting_down";
  const catalog::SnapshotPtr pinned = unit.context.snapshot;
  const catalog::Snapshot& snapshot = *pinned;
  facts.epoch = snapshot.epoch.value;
  surface::StatFacts stat;
  stat.database = router.settings().listen_database.empty() ? snapshot.shard(snapshot.home)->dbname
                                                            : router.settings().listen_database;
  facts.stats.push_back(stat);
  for (const catalog::Shard& shard : snapshot.shards) {
    surface::DatabaseFacts d;
    d.name = shard.name;
    d.host = shard.host;
    d.port = shard.port;
    d.database = shard.dbname;
    d.pool_size = static_cast<std::int64_t>(router.settings().limits.server_connections);
    d.max_connections = d.pool_size;
    d.disabled = !shard.active;
    facts.databases.push_back(std::move(d));
  }
  for (const SettingLine& line : show_settings(router.settings()))
    facts.config.push_back({line.key, line.value, line.default_value, line.changeable});
  facts.users = router.settings().admin_users;
  obs::KeyLoad load;
  co_await collect(router, facts, load);
  facts.keys = key_facts(snapshot, load);
  for (surface::DatabaseFacts& d : facts.databases)
    d.current_connections = std::count_if(facts.servers.begin(), facts.servers.end(),
                                          [&](const auto& s) { return s.database == d.name; });
  co_return facts;
}

namespace {

void append_table(std::string& out, const surface::AdminTable& table) {
  std::vector<wire::Column> columns;
  for (const surface::AdminColumn& c : table.columns) {
    wire::Column column;
    column.name = c.name;
    column.type_oid = c.type;
    columns.push_back(column);
  }
  wire::append_row_description(out, columns);
  for (const auto& row : table.rows) {
    std::vector<wire::Value> values;
    for (const auto& v : row) values.push_back(v ? wire::Value(*v) : std::nullopt);
    wire::append_data_row(out, values);
  }
}

io::Task<Result<>> run_command(Router& router, Router::Unit& unit, const AdminCommand& command,
                               std::string& out) {
  using Kind = AdminCommand::Kind;
  if (command.kind == Kind::kShowHelp) {
    wire::append_notice(out, "NOTICE", "00000", "Console usage", surface::admin_help());
  } else if (surface::shows_rows(command.kind)) {
    surface::AdminFacts facts = co_await admin_facts(router, unit);
    append_table(out, surface::admin_rows(command, facts));
  } else if (command.kind == Kind::kReconnect) {
    router.drop_connections();
  } else if (command.kind == Kind::kShutdown) {
    ::kill(::getpid(), SIGTERM);
  } else if (command.kind == Kind::kReload) {
    if (router.settings().config_file.empty())
      co_return make_error("55000", "this router was started without a configuration file");
    ::kill(::getpid(), SIGHUP);
  } else {
    co_return refuse(Refusal::kAdmin, "PAUSE and RESUME are not built yet");
  }
  wire::append_command_complete(out, surface::admin_tag(command.kind));
  co_return Result<>();
}

}  // namespace

io::Task<> run_admin_session(Router& router, Router::Unit& unit, session::ClientChannel channel,
                             session::ClientIdentity identity) {
  const Settings& settings = router.settings();
  std::string user = identity.login.user;
  if (!surface::may_use_admin(user, settings.admin_users, settings.stats_users)) {
    Error e = make_error("42501", fmt::format("user \"{}\" may not use the admin console", user));
    wire::append_error(channel.out(), e, "FATAL");
    (void)co_await channel.flush();
    co_return;
  }
  wire::append_auth_ok(channel.out());
  for (auto [name, value] :
       {std::pair("server_version", "15.0 (Shoal)"), std::pair("client_encoding", "UTF8"),
        std::pair("DateStyle", "ISO"), std::pair("TimeZone", "GMT"),
        std::pair("standard_conforming_strings", "on"), std::pair("server_encoding", "UTF8")})
    wire::append_parameter_status(channel.out(), name, value);
  wire::append_backend_key_data(channel.out(), identity.pid, identity.secret);
  wire::append_ready(channel.out(), 'I');
  bool skipping = false;
  for (;;) {
    Result<wire::Frame> frame = co_await channel.next();
    if (!frame || frame->type == 'X') co_return;
    if (frame->type == 'S') {
      skipping = false;
      wire::append_ready(channel.out(), 'I');
      continue;
    }
    if (skipping) continue;
    if (frame->type != 'Q') {
      skipping = true;
      wire::append_error(channel.out(), refuse(Refusal::kProtocol,
                                               "the admin console speaks the simple protocol"));
      continue;
    }
    Result<wire::Query> query = wire::decode_query(frame->body);
    Result<AdminCommand> command =
        query ? surface::parse_admin_command(query->sql) : Result<AdminCommand>(query.error());
    Result<> done;
    if (!command)
      done = command.error();
    else
      done =
          surface::check_admin_access(*command, user, settings.admin_users, settings.stats_users);
    if (done) done = co_await run_command(router, unit, *command, channel.out());
    if (!done) wire::append_error(channel.out(), done.error());
    wire::append_ready(channel.out(), 'I');
  }
}

}  // namespace shoal::app
