// The conversation's frame: greeting, the message loop, and what simple.cc and extended.cc share.
#include "session/session.h"

#include "route/bind.h"
#include "session/outputs.h"
#include "sql/deparse.h"
#include "wire/frontend.h"

namespace shoal::session {
namespace {

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
