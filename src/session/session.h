// One client's conversation. The steps read_message, parse, route, make_plan, run are in simple.cc
// (Query) and in extended.cc, bind.cc, describe.cc and portals.cc (Parse .. Sync); plans and holds
// in planning.cc; what a session does by itself in transactions.cc, settings.cc, prepare.cc,
// cursor.cc, scope.cc, temporary.cc, schema.cc and utility.cc; the relay of a server's answer in
// relay.cc.
// Invariants: answers leave in the order of the messages; after an error of an extended message
// everything up to Sync is skipped; at every ReadyForQuery outside a transaction no server
// connection is held unless pinned.
// Thread rule: one core.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "exec/core_context.h"
#include "exec/kept_rows.h"
#include "exec/run.h"
#include "exec/transaction.h"
#include "plan/make_plan.h"
#include "route/session_facts.h"
#include "session/client_channel.h"
#include "session/commands.h"
#include "session/plan_cache.h"
#include "session/statements.h"
#include "sql/normalize.h"

namespace shoal::session {

// What all sessions of a core share, besides the execution context.
struct SessionServices {
  exec::CoreContext& context;
  Commands* commands = nullptr;  // null: no control plane (tests)
  PlanCache& plans;
  StatementCache& statements;
  route::Fanout fanout = route::Fanout::kAllow;  // of sessions that do not SET shoal.fanout
};

// What a session is to the admin console and to cancel requests.
struct SessionView {
  std::string user, database, address, application;
  const char* state = "idle";
  io::Clock::time_point connected, since;
  std::int32_t pid = 0;
};

struct ClientIdentity {
  backend::Login login;
  std::string database;
  std::vector<std::pair<std::string, std::string>> parameters;  // of the start-up packet
  std::int32_t pid = 0;
  std::string secret;
};

class Session {
 public:
  Session(SessionServices services, ClientChannel channel, ClientIdentity identity);
  ~Session();

  // Serves the client until it leaves; all connections are given back at the end.
  io::Task<> run();
  // Any session of the core may call it for a cancel request: cancels what runs on servers now.
  void cancel();
  // Ends the session politely at the next idle moment (57P01).
  void shut_down();
  const SessionView& view() const { return view_; }
  exec::Transaction& transaction() { return txn_; }

 private:
  friend class OutputAdapter;
  friend class RunnerAdapter;
  struct Named {
    StatementPtr statement;
    Shape shape;  // as it was when the client prepared it; for statements with a name
    Epoch epoch;  // of the schema under which that was found true last
  };
  struct Portal {
    StatementPtr statement;
    plan::PlanPtr plan;
    ShardId link;        // of a Forward: where it is bound
    std::string values;  // copies that `bound` points into
    exec::Bound bound;
    std::string rows;  // router-made rows that a row limit held back (frames)
    std::string tag;
    bool started = false, on_server = false;
    std::vector<std::size_t> row_ends;
    std::size_t next_row = 0;
    std::optional<std::string> key;  // shoal.key at Bind
    std::uint64_t serial = 0;        // counts on with the cursors'
  };
  struct Cursor {
    ShardId shard;
    bool hold = false;
    std::optional<std::string> key;  // shoal.key when it was declared
    std::uint64_t serial = 0;
    bool committed = false;  // its transaction, of one WITH HOLD
  };
  struct Savepoint {
    std::string name;
    backend::Settings settings;
    route::SessionFacts facts;
    std::optional<route::SessionFacts> local_facts;
    std::size_t sets = 0;       // how many of sets_ came before
    std::uint64_t cursors = 0;  // cursors with this serial or a later one came after
  };
  struct PendingSet {
    std::uint32_t tag;
    std::string name, value;
    bool local = false;
  };

  // ---- start
  io::Task<Result<>> greet();
  // ---- simple.cc
  io::Task<Result<>> on_query(wire::Frame frame);
  io::Task<Result<>> run_text(std::string_view text);
  io::Task<Result<>> run_simple_statement(const sql::Statement& statement, std::string_view text);
  io::Task<Result<>> run_several(std::shared_ptr<const std::vector<sql::Statement>> statements,
                                 std::string_view text);
  io::Task<Result<>> run_plan_simple(plan::PlanPtr plan, const sql::Statement& statement,
                                     std::string_view text);
  io::Task<Result<>> forward_text(ShardId shard, const plan::Plan& plan, std::string_view text);
  io::Task<Result<>> run_unparsed(std::string_view text, Error syntax_error);
  std::optional<Placed> known_plan(std::string_view text);
  void ready();  // ReadyForQuery
  // ---- bind.cc
  io::Task<Result<>> on_bind(wire::Frame frame);
  std::optional<Placed> known_plan(const StatementInfo& statement, const wire::Bind& bind);
  io::Task<Result<plan::PlanPtr>> plan_bound(const StatementPtr& statement, exec::Bound& bound);
  io::Task<Result<plan::PlanPtr>> plan_unparsed(const StatementInfo& statement);
  io::Task<Result<Placed>> place_bound(const StatementPtr& statement, const wire::Bind& bind,
                                       exec::Bound& bound);
  io::Task<Result<>> bind_on_server(const wire::Frame& frame, const wire::Bind& bind,
                                    Portal& portal);
  // ---- extended.cc
  io::Task<Result<>> on_extended(wire::Frame frame);  // and those that are here behind it
  Result<> on_parse(const wire::Frame& frame);
  io::Task<Result<>> on_describe(wire::Frame frame);
  io::Task<Result<>> on_execute(wire::Frame frame);
  io::Task<Result<>> on_close(wire::Frame frame);
  io::Task<Result<>> on_sync();
  io::Task<Result<>> on_flush();
  io::Task<Result<backend::Connection*>> link_to(ShardId shard);
  backend::Connection* link_at_once(ShardId shard);  // null: link_to() it
  io::Task<Result<backend::Connection*>> link_for_words();
  io::Task<Result<>> settle_link();  // everything sent so far is answered; pipeline goes on
  void send_deferred(backend::Connection& c);
  void ensure_prepared(backend::Connection& c, const StatementPtr& statement,
                       const std::string& name);
  io::Task<Result<>> execute_portal(Portal& portal, std::string_view name, std::int32_t max_rows);
  void send_buffered_rows(Portal& portal, std::int32_t max_rows);
  io::Task<Result<>> extended_error(Error e);
  void emit_locals(std::uint32_t before_tag);
  void local(std::string_view bytes);  // an answer made here, in its place among the others
  // ---- shape.cc
  void learn_shape(backend::Connection& c, const StatementPtr& statement, const std::string& name);
  void on_shape(const wire::Frame& frame);
  void keep_shape(const StatementInfo& statement, const std::string& name);
  io::Task<Result<>> check_shape(std::string name);
  Result<> same_shape(const Named& named, const exec::Description& now) const;
  // ---- relay.cc
  io::Task<Result<>> relay(backend::Connection& c);
  io::Task<Result<>> relay_copy_in(backend::Connection& c);
  void on_server_error(const wire::Frame& frame);
  // The server has undone its set_configs with what else the failed pipeline did.
  void undo_sets(backend::Connection& c);
  // Forgets what the server did not prepare and undoes name changes of messages from `tag` on.
  void forget_unparsed(backend::Connection& c, std::uint32_t tag);
  void undo_names(std::uint32_t tag);
  void change_name(const std::string& name, StatementPtr statement);
  // A Query or FunctionCall behind a pipeline without Sync; false: it is to be ignored.
  io::Task<Result<bool>> end_pipeline();
  void report_parameters(const backend::Connection& c);
  void on_complete(std::uint32_t tag, backend::Connection& c);
  // ---- utility.cc
  // Runs what the session answers itself. `simple`: row descriptions are sent too.
  // `asked`: the portal's formats; none in the simple protocol.
  io::Task<Result<>> run_session_statement(const sql::Statement& statement, std::string_view text,
                                           const exec::Bound* asked);
  // ---- transactions.cc
  void note_isolation(const std::string& isolation);
  const std::string& isolation() const;
  bool is_strict() const;
  void mind_isolation();
  void begin_again(std::string text, const std::string& level);
  std::string begin_text(const sql::Transaction& t) const;
  io::Task<Result<>> run_transaction(const sql::Transaction& t, std::string_view text);
  void mark_unpreparable();
  io::Task<Result<>> run_commit(const sql::Transaction& t);
  io::Task<Result<>> run_rollback(const sql::Transaction& t);
  io::Task<Result<>> run_savepoint(const sql::Transaction& t);
  io::Task<Result<>> run_set(const sql::SetVariable& set, std::string_view text);
  void reset_setting_in_facts(const std::string& name);
  io::Task<Result<>> run_prepare(const sql::Prepare& p, const sql::Statement& inner);
  io::Task<Result<>> run_execute(const sql::Execute& e, const exec::Bound* asked);
  Result<ShardId> place_arguments(const sql::Execute& e, const std::string& select);
  io::Task<Result<>> run_deallocate(const sql::Deallocate& d);
  io::Task<Result<>> run_discard(const sql::Discard& d, std::string_view text);
  io::Task<Result<>> run_explain(const sql::Explain& e, const sql::Statement& statement,
                                 bool simple);
  // ---- scope.cc
  const route::SessionFacts& facts() const { return hinted_ ? *hinted_ : facts_; }
  void take_start_setting(const std::string& name, const std::string& value);
  io::Task<Result<>> take_role_settings(backend::Connection& home);
  Result<> run_set_shoal(const sql::SetVariable& set, const std::string& name);
  Result<> run_show_shoal(const sql::ShowVariable& show, bool simple);
  Result<> check_reset_all() const;
  void undo_scope();
  Result<> take_hint(std::string_view text);
  Result<> begin_hint(const sql::Hint& hint);
  Result<> check_scope(const sql::Statement& statement, Handling handling) const;
  Result<> check_temporary(const sql::Statement& statement);
  // ---- temporary.cc
  // Names a statement on server connections, until the next call. What was parsed before a
  // temporary relation hid another keeps its meaning there, so it must not be taken for the text's.
  const std::string& server_key(const StatementInfo& statement);
  Result<bool> is_about_temporary(const sql::Statement& statement);
  io::Task<Result<>> run_temporary_ddl(const sql::Statement& statement, std::string_view text);
  io::Task<Result<>> read_temporary_names();
  io::Task<> end_temporary(bool committed);
  Result<> check_opened(const std::optional<std::string>& key) const;
  // Runs `change` on the facts, and, unless it is local, on those that outlive the transaction.
  template <class Change>
  void change_facts(bool local, Change&& change);
  // Ends the hint of a statement.
  struct HintEnd {
    Session& session;
    ~HintEnd() { session.hinted_.reset(); }
  };
  // ---- cursor.cc
  plan::PlanPtr plan_cursor(const sql::Statement& statement,
                            std::span<const route::Parameter> params);
  plan::PlanPtr plan_declare(const sql::Statement& statement, const sql::DeclareCursor& declare,
                             std::span<const route::Parameter> params);
  io::Task<Result<>> declare_over_shards(const plan::Plan& plan, const exec::Bound& asked,
                                         const sql::DeclareCursor& declare);
  io::Task<Result<>> fill_rows(const plan::Plan& plan, const exec::Bound& asked,
                               const std::string& query, exec::KeptRows& rows);
  io::Task<Result<>> gather_portal(Portal& portal, std::string name);
  io::Task<Result<>> execute_kept(std::string name, std::int32_t max_rows);
  io::Task<Result<>> close_all_cursors(std::string_view text, bool simple);
  bool is_kept_cursor(const std::string& name) const;
  void mind_held_cursors();
  void end_cursors(bool committed);
  void undo_cursors(std::uint64_t since);
  std::optional<ShardId> cursor_shard(const StatementInfo& statement) const;
  void append_row_description(const wire::Frame& frame, const backend::Connection& c);
  // ---- schema.cc
  io::Task<Result<>> run_ddl(const sql::Statement& statement, std::string_view text);
  io::Task<Result<>> run_ddl_outside(const DdlPlan& plan, std::string_view text);
  Error shard_down(const Error& e) const;
  io::Task<Result<>> run_command(const sql::Statement& statement, const exec::Bound* bound,
                                 bool simple);
  io::Task<Result<>> refresh_derived_snapshot();
  io::Task<Result<std::uint64_t>> fill_table(std::string text, bool had_ddl);
  // Sends a text to a shard as a simple query and relays all but ReadyForQuery. In extended mode
  // row descriptions are dropped.
  io::Task<Result<>> pass_text(ShardId shard, std::string_view text, bool simple);
  io::Task<Result<exec::DescriptionPtr>> describe(std::string_view text,
                                                  const std::vector<std::uint32_t>& types);
  void complete(std::string_view tag);
  void rows_of_text(const std::vector<std::string>& columns,
                    const std::vector<std::vector<std::optional<std::string>>>& rows, bool simple);

  // ---- shared pieces
  // Remembers the set_config calls of a statement that is about to run under `tag`; SH0303 when
  // their arguments are not constants or parameters.
  Result<> note_set_config(const sql::Statement& statement, const exec::Bound* bound,
                           std::uint32_t tag);
  io::Task<Result<>> run_over_shards(const plan::Plan& plan, exec::Bound& bound,
                                     const sql::Statement& statement, bool simple);
  const catalog::SnapshotPtr& snapshot();
  plan::PlanPtr make_plan(const sql::Statement& statement,
                          std::span<const route::Parameter> params);
  io::Task<Result<>> wait_for_holds(const plan::Plan& plan);
  // The same where there is nothing to wait for; false: wait_for_holds().
  bool holds_nothing(const plan::Plan& plan);
  void touch(const std::vector<Oid>& tables);
  io::Task<Result<>> wait_for_hold_of(Oid table);
  // An answer of wait_for_holds that no client ever sees.
  static Error plan_again() { return make_error("SHAGN", "plan again"); }
  static bool is_plan_again(const Error& e) { return e.sqlstate == "SHAGN"; }
  void release_touched();
  void release_touched_if_idle();
  void begin_implicit();
  bool describable(const StatementInfo& statement) const;
  std::string describe_text(const StatementInfo& statement) const;
  io::Task<Result<>> on_function_call(wire::Frame frame);
  static bool c_lost(const Error& e) { return e.sqlstate == "08006"; }
  // Before a statement of this text runs on `c`, which must owe no answers if the text reads what
  // nextval left behind (currval, lastval): that is kept by one server connection.
  io::Task<Result<>> mind_sequences(backend::Connection& c, bool writes, std::string_view text);
  // Runs a plan of several shards, in an implicit transaction where it writes; the rows go to
  // `output`, the tag comes back.
  io::Task<Result<std::string>> run_plan_to(const plan::Plan& plan, exec::Bound& bound,
                                            exec::Output& output);
  io::Task<Result<>> run_copy_in(const plan::Plan& plan, exec::Bound& bound,
                                 const sql::Copy& statement);
  ShardId home_or_enlisted();
  ShardId shard_that_knows();
  Error aborted_error() const;
  io::Task<Result<>> finish_implicit();
  io::Task<> fail_statement(const Error& e);  // the transaction's part of an error
  void facts_changed();
  static void hash_facts(route::SessionFacts& facts);
  void apply_setting_to_facts(const std::string& name, const std::vector<std::string>& values);
  void on_transaction_end(bool committed);
  void initial_settings(const ClientIdentity& identity);

  SessionServices services_;
  exec::CoreContext& context_;
  ClientChannel client_;
  ClientIdentity identity_;
  SessionView view_;
  exec::Transaction txn_;
  backend::Settings settings_, initial_settings_, settings_at_begin_;
  route::SessionFacts facts_, initial_facts_, facts_at_begin_;
  std::size_t reported_hash_ = 0;  // of the connection whose parameters were reported last
  bool reported_nameless_ = false;
  std::optional<route::SessionFacts> hinted_;        // facts_ with the running statement's hint
  std::optional<route::SessionFacts> local_facts_;   // facts_ without the SET LOCALs
  std::optional<route::SessionFacts> before_scope_;  // facts_ before a pipeline's SET shoal.key
  std::optional<Error> start_error_;                 // in the start-up packet
  bool start_fanout_ = false;                        // it says shoal.fanout
  std::string role_isolation_ = "read committed";    // of new transactions, without SET
  std::map<std::string, std::string> reported_;      // ParameterStatus as the client knows it
  std::string reports_;                              // ParameterStatus frames for the next ready()
  bool ended_by_server_ = false;  // a server sent FATAL for this client's statement
  std::unordered_map<std::string, Named> statements_;  // "" is the unnamed one
  std::unordered_map<std::string, Portal> portals_;
  std::map<std::string, Cursor> cursors_;
  std::uint64_t next_cursor_ = 1;
  std::map<std::uint32_t, exec::DescriptionPtr> kept_;  // by the table that keeps a query's rows
  std::vector<Savepoint> savepoints_;
  std::vector<std::string> sets_;  // SET statements of the open transaction, for a pull's workspace
  bool temporary_changed_ = false;  // by the open transaction
  std::string key_beside_temporary_;
  sql::Normalized normalized_;
  std::uint64_t unique_ = 0;
  bool ddl_in_transaction_ = false;
  bool filling_ = false;          // a new table from its query, see fill_table.cc
  catalog::SnapshotPtr derived_;  // of a transaction with DDL
  std::vector<Oid> touched_;      // tables counted in CoreContext::in_flight
  std::string isolation_;         // of the open transaction, empty: the default
  bool several_ = false;          // one of several statements of a Query
  bool later_ = false;            // and not the first of them
  bool shutting_down_ = false;

  // Extended protocol, between two Syncs.
  struct Deferred {
    char type;
    std::string frame;
    StatementPtr statement;
    std::uint32_t tag;
  };
  std::vector<Deferred> deferred_;
  std::deque<std::pair<std::uint32_t, std::string>> locals_;
  std::vector<PendingSet> pending_sets_;
  // Since the last Sync: names that Parse and Close changed (undone behind an error), and what was
  // parsed on link_ without an answer yet.
  struct NameChange {
    std::uint32_t tag;
    std::string name;
    Named before;  // null: the name was free
  };
  std::vector<NameChange> name_changes_;
  struct ShapeDue {
    StatementPtr statement;
    std::string name;
    Epoch epoch;
  };
  std::deque<ShapeDue> shapes_due_;
  std::deque<std::string> unconfirmed_;  // keys in Connection::prepared, "" = the unnamed one
  backend::Connection* link_ = nullptr;
  ShardId link_shard_;
  bool link_is_for_words_ = false;  // nothing but Parse and Describe went there
  bool link_executed_ = false;      // a statement ran there since the last Sync
  std::uint32_t tag_ = 1;
  bool failed_ = false;  // an error was sent; skipping to Sync
  bool skip_ = false;
  std::size_t pipeline_bytes_ = 0;
  bool hide_row_description_ = false;  // pass_text in extended mode
  bool server_error_ = false;          // the relay sent an ErrorResponse
  // The server connection where this client's sequences moved last; 0: nowhere yet.
  std::int32_t sequence_pid_ = 0;
  std::uint64_t sequence_served_ = 0;
  // What was in force before the first set_config of statements that are not committed yet.
  std::optional<Savepoint> before_sets_;
};

// The words of SET's value list as plain texts; nullopt when one is not a constant or a name.
std::optional<std::vector<std::string>> constant_values(const sql::ExprList& values);
// EXPLAIN and DECLARE with another statement behind their options.
std::string explain_text(const sql::Explain& e, std::string_view statement);
std::string declare_text(const sql::DeclareCursor& d, std::string_view query);

// SELECT, INSERT, UPDATE or DELETE as text again; refused (SH0002) for everything else.
Result<std::string> deparse_dml(const sql::Statement& statement);

template <class Change>
void Session::change_facts(bool local, Change&& change) {
  if (local && !local_facts_) local_facts_ = facts_;
  change();
  if (local || !local_facts_) return;
  std::swap(facts_, *local_facts_);
  change();
  std::swap(facts_, *local_facts_);
}

}  // namespace shoal::session
