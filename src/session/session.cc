// The conversation's frame: greeting, the message loop, and what simple.cc and extended.cc share.
#include "session/session.h"

#include "plan/make_plan.h"
#include "route/bind.h"
#include "session/outputs.h"
#include "sql/deparse.h"
#include "wire/frontend.h"

namespace shoal::session {
namespace {

// How often shards that read a slow client's COPY data are looked at.
constexpr io::Milliseconds kCopyLook{50};

bool copies_out_binary(const sql::Copy& copy) {
  return !copy.from && copy.file.empty() && !copy.program &&
         std::any_of(copy.options.begin(), copy.options.end(), [](const auto& option) {
           return option.name == "format" && option.value == "binary";
         });
}

bool pulls(const plan::Plan& plan) {
  if (const auto* insert = std::get_if<plan::RoutedInsert>(&plan.node))
    return pulls(*insert->source);
  return std::holds_alternative<plan::Pull>(plan.node);
}

}  // namespace

Session::Session(SessionServices services, ClientChannel channel, ClientIdentity identity)
    : services_(services),
      context_(services.context),
      client_(std::move(channel)),
      identity_(std::move(identity)),
      txn_(services.context, identity_.login, client_.stream().peer()) {
  view_.user = identity_.login.user;
  view_.database = identity_.database;
  view_.address = client_.stream().peer();
  view_.connected = view_.since = io::Clock::now();
  view_.pid = identity_.pid;
  facts_.user = identity_.login.user;
  facts_.search_path = {facts_.user, "public"};
  facts_.fanout = services_.fanout;
  txn_.set_settings(&settings_);
  // SET LOCAL ends with the transaction, ROLLBACK undoes SET: the client hears of both.
  txn_.on_end([this](const backend::Connection& c) { report_parameters(c); });
  initial_settings(identity_);
}

Session::~Session() {
  for (Oid table : touched_) --context_.in_flight[table];
}

// The start-up packet's parameters are the session's first settings.
void Session::initial_settings(const ClientIdentity& identity) {
  auto take = [&](std::string name, const std::string& value) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (name.starts_with("shoal.")) {
      start_fanout_ |= name == "shoal.fanout";
      take_start_setting(name, value);
      return;
    }
    settings_[name] = fmt::format("SELECT pg_catalog.set_config({}, {}, false)",
                                  sql::quote_literal(name), sql::quote_literal(value));
    if (name == "application_name") view_.application = value;
    apply_setting_to_facts(name, {value});
  };
  for (const auto& [name, value] : identity.parameters) {
    if (name == "user" || name == "database" || name == "replication" || name.starts_with("_pq_."))
      continue;
    if (name != "options") {
      take(name, value);
      continue;
    }
    // -c name=value and --name=value, with backslash escapes, as PostgreSQL splits them.
    std::vector<std::string> words;
    std::string word;
    bool any = false;
    for (std::size_t i = 0; i <= value.size(); ++i) {
      if (i == value.size() || std::isspace(static_cast<unsigned char>(value[i]))) {
        if (any) words.push_back(word);
        word.clear();
        any = false;
        continue;
      }
      if (value[i] == '\\' && i + 1 < value.size()) ++i;
      word.push_back(value[i]);
      any = true;
    }
    for (std::size_t i = 0; i < words.size(); ++i) {
      std::string setting;
      if (words[i] == "-c" && i + 1 < words.size())
        setting = words[++i];
      else if (words[i].starts_with("--") || words[i].starts_with("-c"))
        setting = words[i].substr(2);
      std::size_t equals = setting.find('=');
      if (equals == std::string::npos) continue;
      std::string setting_name = setting.substr(0, equals);
      std::replace(setting_name.begin(), setting_name.end(), '-', '_');
      take(setting_name, setting.substr(equals + 1));
    }
  }
  facts_changed();
  initial_settings_ = settings_;
  initial_facts_ = facts_;
  settings_at_begin_ = settings_;
  facts_at_begin_ = facts_;
}

// Logging in to home proves the role and gives the parameters that clients expect.
io::Task<Result<>> Session::greet() {
  Result<backend::Connection*> c = co_await txn_.use(snapshot()->home);
  if (!c) co_return c.error();
  if (Result<> role = co_await take_role_settings(**c); !role) {
    txn_.release();
    co_return role.error();
  }
  wire::append_auth_ok(client_.out());
  report_parameters(**c);
  client_.out() += std::exchange(reports_, {});
  wire::append_backend_key_data(client_.out(), identity_.pid, identity_.secret);
  txn_.release();
  ready();
  co_return co_await client_.flush();
}

io::Task<> Session::run() {
  Result<> greeted = co_await greet();
  if (!greeted) {
    // Settings are refused after the log-in, passwords before; and none of it is a mere ERROR.
    Error e = greeted.error();
    e.original.clear();
    e.shard.clear();
    if (!e.sqlstate.starts_with("28")) wire::append_auth_ok(client_.out());
    wire::append_error(client_.out(), e, "FATAL");
    (void)co_await client_.flush(io::Deadline::in(io::Milliseconds(5000)));
    co_await txn_.abandon();
    co_return;
  }
  Result<> going;
  while (going) {
    if (shutting_down_ && txn_.idle() && !link_ && deferred_.empty()) {
      going = make_error("57P01", "terminating connection due to administrator command");
      break;
    }
    if (ended_by_server_) {
      (void)co_await client_.flush();
      Error e = make_error("08006", "the server ended the session");
      e.fatal = true;
      going = e;
      break;
    }
    if (txn_.lost_pinned()) {
      going = make_error("57P01",
                         "terminating connection because the server connection with this session's "
                         "temporary tables, locks or cursors was lost");
      break;
    }
    Result<wire::Frame> frame = co_await client_.next();
    if (!frame) {
      going = frame.error();
      break;
    }
    txn_.forget_cancel();
    view_.state = "active";
    view_.since = io::Clock::now();
    switch (frame->type) {
      case 'Q':
      case 'F': {
        if (skip_) break;
        std::string bytes;
        wire::Frame copy = *frame;
        if (link_ || !deferred_.empty()) {
          // Ending a pipeline may read from the client and move its buffer.
          bytes = frame->bytes;
          copy.bytes = bytes;
          copy.body = copy.bytes.substr(wire::kHeaderBytes);
          Result<bool> go_on = co_await end_pipeline();
          if (!go_on) {
            going = go_on.error();
            break;
          }
          if (!*go_on) break;
        }
        if (copy.type == 'Q')
          going = co_await on_query(copy);
        else
          going = co_await on_function_call(copy);
        break;
      }
      case 'P':
      case 'B':
      case 'D':
      case 'E':
      case 'C':
      case 'H':
      case 'S':
        going = co_await on_extended(*frame);
        break;
      case 'd':
      case 'c':
      case 'f':
        break;  // the rest of a COPY that a server broke off
      case 'X': {
        // What stood before is answered, as PostgreSQL does.
        if (!skip_ && (link_ || !deferred_.empty())) (void)co_await on_flush();
        (void)co_await client_.flush(io::Deadline::in(io::Milliseconds(5000)));
        Error e = make_error("08006", "terminated");
        e.fatal = true;
        going = e;
        break;
      }
      default: {
        Error e = make_error("08P01", fmt::format("invalid frontend message type {}",
                                                  static_cast<int>(frame->type)));
        e.fatal = true;
        going = e;
      }
    }
  }
  // What a pipeline did without Sync was never committed, and must not be. Even a mere Bind leaves
  // a transaction open on the server that its last ReadyForQuery does not tell of.
  if (link_) link_->close();
  const Error& e = going.error();
  if (e.sqlstate != "08006" && e.message != "invalid message length") {
    wire::append_error(client_.out(), e, "FATAL");
    (void)co_await client_.flush(io::Deadline::in(io::Milliseconds(5000)));
  }
  client_.stream().close();
  bool changed = services_.commands && services_.commands->changed();
  co_await txn_.abandon();
  if (changed) co_await services_.commands->finish(false);
}

void Session::shut_down() {
  shutting_down_ = true;
  if (txn_.idle() && std::string_view(view_.state) == "idle") client_.stream().close();
}

// A request may reach its server late. A connection that one is under way for is therefore never
// handed to another client, whose statement it could hit.
void Session::cancel() {
  txn_.cancel();
  auto send = [this](backend::Connection& c) {
    if (c.pending().all_answered()) return;
    c.tainted = true;
    context_.core.spawn(backend::send_cancel(c.endpoint(), c.pid(), c.secret()));
  };
  for (auto& p : txn_.participants()) send(*p.connection);
  if (txn_.workspace()) send(*txn_.workspace());
}

// ---- shared pieces ----------------------------------------------------------------------------

const catalog::SnapshotPtr& Session::snapshot() {
  if (derived_) return derived_;
  if (!txn_.idle()) {
    if (!txn_.snapshot()) txn_.set_snapshot(context_.snapshot);
    return txn_.snapshot();
  }
  return context_.snapshot;
}

ShardId Session::home_or_enlisted() {
  if (facts().shard)
    if (const catalog::Shard* shard = snapshot()->shard(*facts().shard)) return shard->id;
  for (auto& p : txn_.participants())
    if (!p.connection->broken() && p.shard != exec::kWorkspace) return p.shard;
  return snapshot()->home;
}

// Where statements that wait for their shard may be parsed: tables of home exist nowhere else.
ShardId Session::shard_that_knows() {
  const ShardId enlisted = home_or_enlisted();
  if (facts_.shard || enlisted == snapshot()->home) return enlisted;
  for (const Deferred& d : deferred_) {
    if (!d.statement->parsed || d.statement->parsed->empty()) continue;
    const route::Analysis a = route::bind(d.statement->statement(), *snapshot(), facts_);
    if (a.single || a.catalog || a.temporary || a.unknown || a.effects.home)
      return snapshot()->home;
  }
  return enlisted;
}

void Session::begin_implicit() {
  settings_at_begin_ = settings_;
  facts_at_begin_ = facts_;
  txn_.begin_implicit();
  mind_isolation();
}

plan::PlanPtr Session::make_plan(const sql::Statement& statement,
                                 std::span<const route::Parameter> params) {
  auto forward = [](ShardId shard, bool writes) {
    auto plan = std::make_shared<plan::Plan>();
    plan->node = plan::Forward{shard, {}};
    plan->writes = writes;
    plan->depends_on_params = true;  // never cached: it depends on the session
    return plan;
  };
  auto refused = [](Error e) {
    auto plan = std::make_shared<plan::Plan>();
    plan->node = std::move(e);
    plan->depends_on_params = true;
    return plan;
  };
  if (std::get_if<sql::LockTable>(&statement.node) && txn_.idle()) {
    auto plan = std::make_shared<plan::Plan>();
    plan->node = make_error("25P01", "LOCK TABLE can only be used in transaction blocks");
    plan->depends_on_params = true;
    return plan;
  }
  if (const auto* show = std::get_if<sql::ShowVariable>(&statement.node); show)
    return forward(home_or_enlisted(), false);
  if (const auto* listen = std::get_if<sql::Listen>(&statement.node); listen)
    return forward(snapshot()->home, true);
  // Statements are prepared on servers under names of the router's own, and not on all of them.
  if (!facts().shard && mentions(statement.text, "pg_prepared_statement")) {
    auto plan = std::make_shared<plan::Plan>();
    plan->node = refuse(Refusal::kShardLocalCatalog,
                        "pg_prepared_statements shows the statements of one server connection");
    return plan;
  }
  facts_.in_transaction = !txn_.idle();
  if (hinted_) hinted_->in_transaction = facts_.in_transaction;
  if (plan::PlanPtr cursor = plan_cursor(statement, params)) return cursor;
  if (const auto* explain = std::get_if<sql::Explain>(&statement.node);
      explain && !explain->route && statement.inner) {
    plan::PlanPtr inner = make_plan(*statement.inner, params);
    if (const auto* f = std::get_if<plan::Forward>(&inner->node)) {
      if (!f->text.sql.empty())
        return refused(refuse(Refusal::kUnknownGrammar, "EXPLAIN of a statement that is changed"));
      return forward(f->shard, explain->analyze && inner->writes);
    }
    return inner;
  }
  if (const auto* copy = std::get_if<sql::Copy>(&statement.node);
      copy && (copy->program || !copy->file.empty()) && !facts().scope_key && !facts().shard &&
      snapshot()->active_shards().size() > 1)
    return forward(home_or_enlisted(), true);
  auto plan = std::make_shared<plan::Plan>(
      plan::make_plan({statement, *snapshot(), facts(), params, ++unique_}));
  // Only exec/ puts home's oids into the tuples of binary COPY, so it does so for one shard, too.
  const auto* copy = std::get_if<sql::Copy>(&statement.node);
  const auto* one = std::get_if<plan::Forward>(&plan->node);
  if (copy && one && one->shard != snapshot()->home && copies_out_binary(*copy))
    plan->node = plan::CopyOut{{one->shard}, one->text, false};
  if (mentions(statement.text, "pg_cursors")) plan->depends_on_params = true;  // see plan_cursor
  return plan;
}

namespace {

// True when a row of the table may belong elsewhere by the newer map.
bool placement_differs(const catalog::Snapshot& was, const catalog::Snapshot& is, Oid table) {
  const catalog::Table* a = was.table(table);
  const catalog::Table* b = is.table(table);
  if (!a || !b) return a != b;
  if (a->kind != b->kind || a->keyspace != b->keyspace || a->key_attnums != b->key_attnums)
    return true;
  if (a->kind == catalog::TableKind::kReference) return was.active_shards() != is.active_shards();
  if (a->kind != catalog::TableKind::kSharded) return false;
  const catalog::Keyspace* k = was.keyspace(a->keyspace);
  const catalog::Keyspace* l = is.keyspace(b->keyspace);
  if (!k || !l || k->params != l->params) return true;
  return !(k->placement->map == l->placement->map) ||
         k->placement->pins.all() != l->placement->pins.all();
}

}  // namespace

// Keeps new statements away from tables whose placement is being changed, and plans made from an
// older map away from tables that were. Between planning and here nothing may suspend.
// kPlanAgain: the map changed while the statement waited; nothing was sent yet.
io::Task<Result<>> Session::wait_for_holds(const plan::Plan& plan) {
  const catalog::SnapshotPtr planned = snapshot();
  if (!context_.held.empty())
    for (Oid table : plan.tables) SHOAL_CO_TRY(co_await wait_for_hold_of(table));
  if (!derived_ && planned != context_.snapshot) {
    for (Oid table : plan.tables) {
      if (!placement_differs(*planned, *context_.snapshot, table)) continue;
      if (txn_.idle() && !link_) co_return plan_again();
      const catalog::Table* was = planned->table(table);
      co_return refuse(Refusal::kPlacementChanged, was ? was->name : "");
    }
  }
  touch(plan.tables);
  co_return Result<>();
}

bool Session::holds_nothing(const plan::Plan& plan) {
  if (!context_.held.empty() || (!derived_ && snapshot() != context_.snapshot)) return false;
  touch(plan.tables);
  return true;
}

void Session::touch(const std::vector<Oid>& tables) {
  for (Oid table : tables) {
    if (std::find(touched_.begin(), touched_.end(), table) != touched_.end()) continue;
    touched_.push_back(table);
    ++context_.in_flight[table];
  }
}

io::Task<Result<>> Session::wait_for_hold_of(Oid table) {
  bool ours =
      ddl_in_transaction_ || std::find(touched_.begin(), touched_.end(), table) != touched_.end();
  io::Deadline deadline = io::Deadline::in(io::Milliseconds(60'000));
  while (!ours && context_.held.contains(table)) {
    if (!co_await context_.changed.wait(deadline))
      co_return make_error("55P03", "the placement of a table is being changed for too long");
  }
  co_return Result<>();
}

void Session::release_touched() {
  if (touched_.empty()) return;
  for (Oid table : touched_) --context_.in_flight[table];
  touched_.clear();
  if (!context_.held.empty() && context_.on_drained) context_.on_drained();
}

io::Task<Result<exec::DescriptionPtr>> Session::describe(std::string_view text,
                                                         const std::vector<std::uint32_t>& types) {
  std::string path;
  for (const std::string& s : facts_.search_path) path += s + ",";
  bool inside = ddl_in_transaction_ || !facts_.temp_tables.empty();
  bool idle = txn_.idle();
  Result<exec::DescriptionPtr> description =
      co_await exec::describe(txn_, text, types, path, inside);
  if (idle && !link_) txn_.release();
  co_return std::move(description);
}

io::Task<Result<std::string>> Session::run_plan_to(const plan::Plan& plan, exec::Bound& bound,
                                                   exec::Output& output) {
  if (pulls(plan)) {
    ++context_.counters.gathered;
    if (ddl_in_transaction_ && !filling_) co_return refuse(Refusal::kDdlThenPull);
  } else {
    ++context_.counters.many_shards;
  }
  const std::size_t shards = plan::shard_count(plan);
  if (is_strict() && (shards > 1 || std::get_if<plan::Pull>(&plan.node)))
    co_return refuse(Refusal::kIsolationOverShards, isolation());
  if (shards > 1 && facts().fanout == route::Fanout::kWarn) {
    wire::append_notice(client_.out(), "WARNING", "01000",
                        fmt::format("the statement runs on {} shards", shards));
  }
  exec::DescriptionPtr description;
  bool copies = std::get_if<plan::CopyOut>(&plan.node) || std::get_if<plan::Broadcast>(&plan.node);
  if (!copies) {
    Result<exec::DescriptionPtr> described = co_await describe(bound.text, bound.types);
    if (!described) co_return described.error();
    description = *described;
    for (std::size_t i = 0; i < bound.types.size() && i < description->param_types.size(); ++i)
      if (bound.types[i] == 0) bound.types[i] = description->param_types[i];
  }
  if (plan.writes && txn_.idle()) begin_implicit();
  std::string sets;
  for (const std::string& set : sets_) sets += (sets.empty() ? "" : ";") + set;
  exec::RunRequest request{plan, bound, description, *snapshot(), std::move(sets)};
  Result<std::string> tag = co_await exec::run_plan(txn_, request, output);
  if (!tag) txn_.fail();
  co_return std::move(tag);
}

io::Task<Result<>> Session::run_over_shards(const plan::Plan& plan, exec::Bound& bound,
                                            const sql::Statement& statement, bool simple) {
  if (const auto* copy = std::get_if<sql::Copy>(&statement.node); copy && copy->from)
    co_return co_await run_copy_in(plan, bound, *copy);
  if (const auto* declare = std::get_if<sql::DeclareCursor>(&statement.node))
    co_return co_await declare_over_shards(plan, bound, *declare);
  OutputAdapter output(*this, simple);
  Result<std::string> tag = co_await run_plan_to(plan, bound, output);
  if (!tag) co_return tag.error();
  // The commit comes before the tag: an error of the commit is the statement's error.
  if (txn_.implicit() && !several_) {
    Result<> ended = co_await finish_implicit();
    if (!ended) co_return ended.error();
  }
  complete(*tag);
  co_return Result<>();
}

io::Task<Result<>> Session::run_copy_in(const plan::Plan& plan, exec::Bound& bound,
                                        const sql::Copy& statement) {
  if (txn_.idle()) begin_implicit();
  // A simple Query's text lies in the client's buffer, which reading its data moves.
  std::string text(bound.text);
  bound.text = text;
  exec::RunRequest request{plan, bound, nullptr, *snapshot(), {}};
  Result<std::unique_ptr<exec::CopyRouter>> router =
      co_await exec::CopyRouter::start(txn_, request, statement);
  if (!router) co_return router.error();
  client_.out() += (*router)->response();
  SHOAL_CO_TRY(co_await client_.flush());
  for (;;) {
    Result<wire::Frame> frame = co_await client_.next(io::Deadline::in(kCopyLook));
    if (!frame && frame.error().sqlstate == "57014") {
      // A shard may have raised an error meanwhile.
      if (Result<> well = co_await (*router)->data({}); !well) {
        txn_.fail();
        co_return well.error();
      }
      continue;
    }
    if (!frame) {
      co_await (*router)->fail("the client is gone");
      co_return frame.error();
    }
    switch (frame->type) {
      case 'd': {
        Result<> taken = co_await (*router)->data(frame->body);
        if (!taken) {
          txn_.fail();
          co_return taken.error();
        }
        break;
      }
      case 'c': {
        Result<std::string> tag = co_await (*router)->done();
        if (!tag) {
          txn_.fail();
          co_return tag.error();
        }
        if (txn_.implicit() && !several_) {
          Result<> ended = co_await finish_implicit();
          if (!ended) co_return ended.error();
        }
        complete(*tag);
        co_return Result<>();
      }
      case 'H':
      case 'S':
        break;
      case 'f': {
        std::string reason(frame->body.substr(0, frame->body.find('\0')));
        co_await (*router)->fail(reason);
        txn_.fail();
        co_return make_error("57014", "COPY from stdin failed: " + reason);
      }
      default: {
        co_await (*router)->fail("unexpected message");
        txn_.fail();
        Error e = make_error(
            "08P01", fmt::format("unexpected message type 0x{:02X} during COPY from stdin",
                                 static_cast<unsigned>(static_cast<unsigned char>(frame->type))));
        e.fatal = frame->type == 'X';
        co_return e;
      }
    }
  }
}

void Session::send_buffered_rows(Portal& portal, std::int32_t max_rows) {
  std::size_t count = portal.row_ends.size();
  std::size_t until = count;
  if (max_rows > 0) until = std::min(count, portal.next_row + static_cast<std::size_t>(max_rows));
  std::size_t from = portal.next_row == 0 ? 0 : portal.row_ends[portal.next_row - 1];
  std::size_t to = until == 0 ? 0 : portal.row_ends[until - 1];
  if (to > from) client_.out().append(portal.rows, from, to - from);
  std::size_t sent = until - portal.next_row;
  portal.next_row = until;
  if (max_rows > 0 && sent == static_cast<std::size_t>(max_rows)) {
    wire::append_portal_suspended(client_.out());
    return;
  }
  // The tag counts the rows of this Execute, not of the portal.
  std::size_t number = portal.tag.rfind(' ');
  if (count > 0 && number != std::string::npos)
    complete(portal.tag.substr(0, number + 1) + std::to_string(sent));
  else
    complete(portal.tag);
}

// Execute of a portal that no single server holds.
io::Task<Result<>> Session::execute_portal(Portal& portal, std::string_view name,
                                           std::int32_t max_rows) {
  StatementPtr kept = portal.statement;  // COMMIT and DISCARD destroy portals while they run
  const StatementInfo& statement = *kept;
  if (statement.handling == Handling::kEmpty) {
    wire::append_empty_query(client_.out());
    co_return Result<>();
  }
  if (!portal.plan) {
    SHOAL_CO_TRY(check_scope(statement.statement(), statement.handling));
    if (statement.handling == Handling::kCommand) {
      if (txn_.state() == exec::Transaction::State::kFailed) co_return aborted_error();
      co_return co_await run_command(statement.statement(), &portal.bound, false);
    }
    if (statement.handling == Handling::kDdl) {
      if (txn_.state() == exec::Transaction::State::kFailed) co_return aborted_error();
      co_return co_await run_ddl(statement.statement(), statement.text);
    }
    co_return co_await run_session_statement(statement.statement(), statement.text, &portal.bound);
  }
  if (const auto* copy = std::get_if<sql::Copy>(&statement.statement().node); copy && copy->from)
    co_return co_await run_copy_in(*portal.plan, portal.bound, *copy);
  if (const auto* declare = std::get_if<sql::DeclareCursor>(&statement.statement().node);
      declare && !std::holds_alternative<plan::Forward>(portal.plan->node)) {
    const plan::PlanPtr plan = portal.plan;
    co_return co_await declare_over_shards(*plan, portal.bound, *declare);
  }
  if (max_rows <= 0 && !portal.started) {
    OutputAdapter output(*this, false);
    portal.started = true;
    Result<std::string> tag = co_await run_plan_to(*portal.plan, portal.bound, output);
    if (!tag) co_return tag.error();
    complete(*tag);
    portal.tag = *tag;
    co_return Result<>();
  }
  if (!portal.started) {
    portal.started = true;
    const std::string own_name(name);
    SHOAL_CO_TRY(co_await gather_portal(portal, own_name));
    if (portal.on_server) co_return co_await execute_kept(own_name, max_rows);
  }
  send_buffered_rows(portal, max_rows);
  co_return Result<>();
}

// The transaction's part of an error, and the client's.
io::Task<> Session::fail_statement(const Error& e) {
  txn_.fail();
  wire::append_error(client_.out(), e);
  if (txn_.idle()) {
    for (auto& p : txn_.participants())
      if (!p.connection->broken() && !p.connection->pending().all_answered())
        (void)co_await p.connection->drain(io::Deadline::in(io::Milliseconds(5000)));
  }
}

io::Task<Result<>> Session::on_function_call(wire::Frame frame) {
  server_error_ = failed_ = false;
  if (txn_.state() == exec::Transaction::State::kFailed) {
    wire::append_error(client_.out(), aborted_error());
  } else if (facts_.scope_key) {
    wire::append_error(client_.out(), refuse(Refusal::kScope, "FunctionCall"));
    txn_.fail();
  } else if (snapshot()->active_shards().size() != 1) {
    wire::append_error(client_.out(),
                       refuse(Refusal::kProtocol, "FunctionCall over several shards"));
    txn_.fail();
  } else {
    Result<backend::Connection*> c = co_await txn_.use(home_or_enlisted());
    if (!c) {
      co_await fail_statement(c.error());
    } else {
      txn_.mark_wrote((*c)->shard());
      (*c)->user_code = true;
      (*c)->out() += frame.bytes;
      (*c)->pending().sent('F', {.tag = ++tag_});
      Result<> relayed = co_await relay(**c);
      if (!relayed) co_await fail_statement(relayed.error());
    }
  }
  if (txn_.idle()) txn_.release();
  release_touched_if_idle();
  failed_ = false;
  ready();
  co_return Result<>();
}

void Session::release_touched_if_idle() {
  if (txn_.idle()) release_touched();
}

bool Session::describable(const StatementInfo& statement) const {
  const auto& node = statement.statement().node;
  return std::get_if<sql::ShowVariable>(&node) || std::get_if<sql::Explain>(&node) ||
         std::get_if<sql::Execute>(&node);
}

std::string Session::describe_text(const StatementInfo& statement) const {
  const auto& node = statement.statement().node;
  if (const auto* show = std::get_if<sql::ShowVariable>(&node))
    return fmt::format("SELECT ''::text AS {}", sql::quote_identifier(show->name));
  if (std::get_if<sql::Explain>(&node)) return "SELECT ''::text AS \"QUERY PLAN\"";
  if (const auto* execute = std::get_if<sql::Execute>(&node)) {
    auto found = statements_.find(execute->name);
    if (found != statements_.end()) return found->second.statement->text;
  }
  return statement.text;
}

Result<std::string> deparse_dml(const sql::Statement& statement) {
  if (const auto* s = std::get_if<sql::SelectPtr>(&statement.node))
    return sql::deparse_checked(**s);
  if (const auto* s = std::get_if<std::unique_ptr<sql::Insert>>(&statement.node))
    return sql::deparse_checked(**s);
  if (const auto* s = std::get_if<std::unique_ptr<sql::Update>>(&statement.node))
    return sql::deparse_checked(**s);
  if (const auto* s = std::get_if<std::unique_ptr<sql::Delete>>(&statement.node))
    return sql::deparse_checked(**s);
  return refuse(Refusal::kUnknownGrammar);
}

}  // namespace shoal::session
