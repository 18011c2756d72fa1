// Moving misplaced rows to where their key belongs: key by key, and with a key the rows of all
// tables that foreign keys connect. The move is a transaction over two servers: PREPARE where the
// rows were, then COMMIT where they belong together with the decision row, then COMMIT PREPARED.
// Whenever it is killed, the routers' recovery (or the next repair) finds the decision and acts on
// it.
//
// Rows that are at their right place already are removed where they are wrong; rows that differ
// from one there under the same primary key are left, together with what hangs on them.
#include <random>

#include "control/audit.h"
#include "control/work.h"
#include "txn/gid.h"

namespace shoal::control {
namespace {

constexpr std::size_t kRowsAtOnce = 20'000;
constexpr int kAttempts = 3;
constexpr int kFirstOther = 1'000'000;  // participant numbers of servers that are no shards
constexpr const char* kBegin =
    "BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '5s';"
    " SET LOCAL synchronous_commit = on";

std::string name_list(const std::vector<std::string>& columns) {
  std::string out;
  for (const std::string& c : columns) out += (out.empty() ? "" : ", ") + quote_ident(c);
  return out;
}

struct Endpoint {
  const AuditServer* at = nullptr;
  Pq connection;
  bool can_prepare = true;
  int participant = 0;
};

// One table's rows of a key while they are moved.
struct Moving {
  const AuditTable* table = nullptr;
  KeyRows rows;
  std::vector<bool> same, conflicting;
  std::uint64_t fresh() const {
    std::uint64_t n = 0;
    for (std::size_t i = 0; i < rows.rows.size(); ++i) n += !same[i] && !conflicting[i];
    return n;
  }
  bool any_conflict() const {
    return std::find(conflicting.begin(), conflicting.end(), true) != conflicting.end();
  }
  // WHERE conditions that name the chosen rows, one for each relation that holds some.
  template <class Choose>
  std::vector<std::pair<std::string, std::uint64_t>> conditions(Choose choose) const {
    std::map<std::string, std::pair<std::string, std::uint64_t>> by_relation;
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
      if (!choose(i)) continue;
      auto& [tids, count] = by_relation[rows.rows[i].relation];
      tids += fmt::format("{}\"{}\"", tids.empty() ? "" : ",", rows.rows[i].ctid);
      ++count;
    }
    std::vector<std::pair<std::string, std::uint64_t>> out;
    for (const auto& [relation, found] : by_relation) {
      out.emplace_back(fmt::format("tableoid = {} AND ctid = ANY ('{{{}}}'::pg_catalog.tid[])",
                                   relation, found.first),
                       found.second);
    }
    return out;
  }
};

class Repairer {
 public:
  Repairer(const AuditOptions& options, const AuditWorld& world, Pq& catalog, AuditReport& report,
           const AuditProgress& progress)
      : options_(options), world_(world), catalog_(catalog), report_(report), progress_(progress) {}
  Result<> run();

 private:
  struct Outcome {
    std::uint64_t moved = 0, removed = 0, left = 0;
    bool more = false, again = false;
    std::string why;  // not empty: rows were left
  };

  Result<Endpoint*> endpoint(const std::string& name);
  Result<> move_key(const std::string& from, const std::string& to, const AuditTable& first,
                    const std::vector<std::string>& key, Outcome& total);
  Result<Outcome> move_group(Endpoint& source, Endpoint& target,
                             const std::vector<const AuditTable*>& group,
                             const std::vector<std::string>& key);
  Result<Outcome> attempt(Endpoint& source, Endpoint& target,
                          const std::vector<const AuditTable*>& group,
                          const std::vector<std::string>& key);
  Result<> copy(Endpoint& source, Endpoint& target, const Moving& m);
  Result<> remove(Endpoint& source, const Moving& m);
  Result<std::string> broken_foreign_key(Pq& target, const AuditTable& table,
                                         const std::vector<std::string>& key);
  Result<bool> commit(Endpoint& source, Endpoint& target);

  const AuditOptions& options_;
  const AuditWorld& world_;
  Pq& catalog_;
  AuditReport& report_;
  const AuditProgress& progress_;
  std::map<std::string, Endpoint> endpoints_;
  std::map<std::string, std::string> reasons_;  // keys that were dealt with, and why rows were left
  std::random_device random_;
};

Result<Endpoint*> Repairer::endpoint(const std::string& name) {
  if (const auto it = endpoints_.find(name); it != endpoints_.end()) return &it->second;
  const AuditServer* at = world_.server(name);
  if (!at) return make_error("42704", fmt::format("there is no server {}", name));
  auto c = Pq::connect(at->dsn, std::chrono::seconds(10), "shoal audit repair");
  if (!c) return std::move(c).error();
  SHOAL_TRY(set_key_settings(*c));
  auto prepared = c->query("SELECT pg_catalog.current_setting('max_prepared_transactions') <> '0'");
  if (!prepared) return std::move(prepared).error();
  Endpoint& e = endpoints_[name];
  e.at = at;
  e.connection = std::move(*c);
  e.can_prepare = cell(*prepared, 0, 0) == "t";
  e.participant =
      at->is_shard ? at->id.value : kFirstOther + static_cast<int>(at - world_.servers.data());
  if (at->is_shard && !e.can_prepare) {
    return refuse(Refusal::kBadShard, fmt::format("max_prepared_transactions of {} is 0", name));
  }
  return &e;
}

Result<> Repairer::copy(Endpoint& source, Endpoint& target, const Moving& m) {
  const std::string columns = name_list(m.table->columns);
  const auto fresh = [&](std::size_t i) { return !m.same[i] && !m.conflicting[i]; };
  for (const auto& [condition, count] : m.conditions(fresh)) {
    auto data = source.connection.copy_out(fmt::format(
        "COPY (SELECT {} FROM {} WHERE {}) TO STDOUT", columns, m.table->quoted, condition));
    if (!data) return std::move(data).error();
    const auto lines = static_cast<std::uint64_t>(std::count(data->begin(), data->end(), '\n'));
    if (lines != count) return make_error("XX000", "not all rows of the key could be read");
    SHOAL_TRY(target.connection.copy_in(
        fmt::format("COPY {} ({}) FROM STDIN", m.table->quoted, columns), *data));
  }
  return {};
}

Result<> Repairer::remove(Endpoint& source, const Moving& m) {
  const auto there = [&](std::size_t i) { return !m.conflicting[i]; };
  for (const auto& [condition, count] : m.conditions(there)) {
    auto gone =
        source.connection.query(fmt::format("DELETE FROM {} WHERE {}", m.table->quoted, condition));
    if (!gone) return std::move(gone).error();
    if (affected_rows(gone->tag) != count) {
      return make_error("XX000", "the rows copied are not the rows deleted");
    }
  }
  return {};
}

// The name of a foreign key of the table that the key's rows violate now; empty: none.
Result<std::string> Repairer::broken_foreign_key(Pq& target, const AuditTable& table,
                                                 const std::vector<std::string>& key) {
  auto keys = target.query(fmt::format(
      "SELECT c.conname, c.confrelid::pg_catalog.regclass::pg_catalog.text,"
      " pg_catalog.string_agg(pg_catalog.format('p.%I = c.%I', f.attname, a.attname), ' AND '),"
      " pg_catalog.string_agg(pg_catalog.format('c.%I IS NOT NULL', a.attname), ' AND ')"
      " FROM pg_catalog.pg_constraint c,"
      " unnest(c.conkey, c.confkey) k(mine, theirs)"
      " JOIN pg_catalog.pg_attribute a ON a.attnum = k.mine"
      " JOIN pg_catalog.pg_attribute f ON f.attnum = k.theirs"
      " WHERE c.contype = 'f' AND c.conrelid = pg_catalog.to_regclass({})"
      " AND a.attrelid = c.conrelid AND f.attrelid = c.confrelid GROUP BY 1, 2",
      quote_literal(table.quoted)));
  if (!keys) return std::move(keys).error();
  for (std::size_t i = 0; i < keys->rows.size(); ++i) {
    auto orphan =
        target.query(fmt::format("SELECT FROM (SELECT * FROM {} WHERE {}) c WHERE {} AND NOT EXISTS"
                                 " (SELECT FROM {} p WHERE {}) LIMIT 1",
                                 table.quoted, key_condition(table, key), cell(*keys, i, 3),
                                 cell(*keys, i, 1), cell(*keys, i, 2)));
    if (!orphan) return std::move(orphan).error();
    if (!orphan->rows.empty()) return cell(*keys, i, 0);
  }
  return std::string();
}

// True: both sides have committed. False: recovery came in between and both have rolled back.
Result<bool> Repairer::commit(Endpoint& source, Endpoint& target) {
  Pq &from = source.connection, &to = target.connection;
  if (!source.can_prepare) {
    // In this order a kill leaves rows twice, never none; the next repair removes the wrong ones.
    SHOAL_TRY(to.query("COMMIT"));
    SHOAL_TRY(from.query("COMMIT"));
    return true;
  }
  txn::Gid gid;
  gid.transaction.cluster = world_.cluster;
  gid.transaction.router = fmt::format("audit-{}", report_.job);
  gid.transaction.number = (std::uint64_t{random_()} << 32 | random_()) >> 1;
  gid.participant = ShardId(source.participant);
  gid.decision = target.at->id;
  auto name = txn::print_gid(gid);
  if (!name) return std::move(name).error();
  const std::string key = txn::decision_key(gid.transaction);
  auto prepared = from.query("PREPARE TRANSACTION " + quote_literal(*name));
  if (!prepared) return std::move(prepared).error();
  if (prepared->tag != "PREPARE TRANSACTION") {
    return make_error("XX000", "the transaction could not be prepared");
  }
  auto decided = to.query(fmt::format(
      "INSERT INTO shoal.decision (gid, outcome) VALUES ({}, 'commit')", quote_literal(key)));
  if (!decided) {
    (void)to.query("ROLLBACK");
    (void)from.query("ROLLBACK PREPARED " + quote_literal(*name));
    if (decided.error().sqlstate == "23505") return false;
    return std::move(decided).error();
  }
  auto committed = to.query("COMMIT");
  if (!committed || committed->tag != "COMMIT") {
    // Whether it was committed is for recovery to find out.
    if (!committed) return std::move(committed).error();
    return make_error("XX000", "the transaction did not commit");
  }
  SHOAL_TRY(from.query("COMMIT PREPARED " + quote_literal(*name)));
  SHOAL_TRY(to.query("DELETE FROM shoal.decision WHERE gid = " + quote_literal(key)));
  return true;
}

Result<Repairer::Outcome> Repairer::attempt(Endpoint& source, Endpoint& target,
                                            const std::vector<const AuditTable*>& group,
                                            const std::vector<std::string>& key) {
  Outcome out;
  std::vector<Moving> moving;
  std::uint64_t fresh = 0, conflicts = 0, all = 0;
  // What foreign keys connect goes as a whole; a table for itself may go in stretches.
  std::size_t limit = group.size() == 1 ? kRowsAtOnce : 0;
  for (const AuditTable* t : group) {
    auto exists = source.connection.query(
        fmt::format("SELECT pg_catalog.to_regclass({}) IS NOT NULL", quote_literal(t->quoted)));
    if (!exists) return std::move(exists).error();
    if (cell(*exists, 0, 0) != "t") continue;
    Moving m;
    m.table = t;
    for (int round = 0; round < 2; ++round) {
      auto rows = read_key_rows(source.connection, *t, key, true, limit);
      if (!rows) return std::move(rows).error();
      m.rows = std::move(*rows);
      auto compared = compare_rows(target.connection, *t, m.rows, &m.same, &m.conflicting);
      if (!compared) return std::move(compared).error();
      out.more = limit > 0 && m.rows.rows.size() == limit;
      if (!out.more || !m.any_conflict()) break;
      limit = 0;  // rows that stay would fill the stretch for ever
    }
    fresh += m.fresh();
    all += m.rows.rows.size();
    conflicts +=
        static_cast<std::uint64_t>(std::count(m.conflicting.begin(), m.conflicting.end(), true));
    moving.push_back(std::move(m));
  }
  if (conflicts > 0) {
    out.why = "another row with the same primary key is where they belong";
    out.left = group.size() > 1 ? all : conflicts;
    if (group.size() > 1) return out;
  }
  if (all == conflicts) return out;
  for (const Moving& m : moving) SHOAL_TRY(copy(source, target, m));
  for (const Moving& m : moving) {
    auto broken = broken_foreign_key(target.connection, *m.table, key);
    if (!broken) return std::move(broken).error();
    if (broken->empty()) continue;
    out.why = fmt::format("{} would not hold where they belong", *broken);
    out.left = all;
    out.more = false;
    return out;
  }
  for (auto m = moving.rbegin(); m != moving.rend(); ++m) SHOAL_TRY(remove(source, *m));
  out.moved = fresh;
  out.removed = all - conflicts - fresh;
  auto committed = commit(source, target);
  if (!committed) return std::move(committed).error();
  if (!*committed) {
    out = Outcome{};
    out.again = true;
  }
  return out;
}

Result<Repairer::Outcome> Repairer::move_group(Endpoint& source, Endpoint& target,
                                               const std::vector<const AuditTable*>& group,
                                               const std::vector<std::string>& key) {
  Outcome total;
  int attempts = 0;
  while (true) {
    SHOAL_TRY(source.connection.query(kBegin));
    SHOAL_TRY(target.connection.query(kBegin));
    auto one = attempt(source, target, group, key);
    const bool alive = source.connection.connected() && target.connection.connected();
    if (alive) {  // nothing is open any more after a commit; a warning says so
      (void)source.connection.query("ROLLBACK");
      (void)target.connection.query("ROLLBACK");
    }
    if (!one) {
      // A row that cannot be written there is a finding, a server that is gone is not.
      const std::string& state = one.error().sqlstate;
      if (!alive || (state.substr(0, 2) != "23" && state != "55P03")) return std::move(one).error();
      total.why = one.error().message;
      ++total.left;
      return total;
    }
    if (one->again && ++attempts < kAttempts) continue;
    total.moved += one->moved;
    total.removed += one->removed;
    total.left += one->left;
    if (!one->why.empty()) total.why = one->why;
    if (!one->more || !one->why.empty()) return total;
  }
}

Result<> Repairer::move_key(const std::string& from, const std::string& to, const AuditTable& first,
                            const std::vector<std::string>& key, Outcome& total) {
  auto source = endpoint(from);
  if (!source) return std::move(source).error();
  auto target = endpoint(to);
  if (!target) return std::move(target).error();
  std::size_t group = 0;
  for (std::size_t i = 0; i < world_.all_tables.size(); ++i) {
    if (world_.all_tables[i].oid == first.oid) group = world_.groups[i];
  }
  std::vector<const AuditTable*> tables;
  for (std::size_t i = 0; i < world_.all_tables.size(); ++i) {
    const AuditTable& t = world_.all_tables[i];
    if (world_.groups[i] == group && t.keyspace == first.keyspace) tables.push_back(&t);
  }
  // Every table of the group has findings of this key; the first one moved them all.
  const std::string id = fmt::format("{} {} {} {}", from, to, group, pack_key(key));
  if (const auto it = reasons_.find(id); it != reasons_.end()) {
    total.why = it->second;
    return {};
  }
  auto done = move_group(**source, **target, tables, key);
  if (!done) return std::move(done).error();
  total = *done;
  reasons_[id] = total.why;
  return {};
}

Result<> Repairer::run() {
  std::uint64_t done = 0;
  auto all = catalog_.query(
      fmt::format("SELECT count(*) FROM shoal.audit_finding WHERE job = {} AND belongs IS NOT NULL",
                  report_.job));
  if (!all) return std::move(all).error();
  const std::uint64_t total = std::stoull(cell(*all, 0, 0));
  while (true) {
    auto rows = catalog_.query(fmt::format(
        "SELECT relation::oid::int8, shard, key, belongs FROM shoal.audit_finding WHERE job = {}"
        " AND belongs IS NOT NULL AND state = '' ORDER BY shard, key, relation LIMIT 200",
        report_.job));
    if (!rows) return std::move(rows).error();
    if (rows->rows.empty()) return {};
    for (std::size_t i = 0; i < rows->rows.size(); ++i) {
      if (options_.stop != nullptr && options_.stop->load()) {
        report_.finished = false;
        return {};
      }
      const auto table = std::find_if(
          world_.all_tables.begin(), world_.all_tables.end(),
          [&](const AuditTable& t) { return std::to_string(t.oid.value) == cell(*rows, i, 0); });
      Outcome outcome;
      if (table == world_.all_tables.end()) {
        outcome.why = "the table is gone";
      } else {
        const std::string text = cell(*rows, i, 2);
        const auto key = table->key.size() > 1 ? unpack_key(text) : std::vector<std::string>{text};
        SHOAL_TRY(move_key(cell(*rows, i, 1), cell(*rows, i, 3), *table, key, outcome));
      }
      report_.moved += outcome.moved;
      report_.removed += outcome.removed;
      report_.left += outcome.left;
      const std::string state = outcome.why.empty() ? "moved" : "left: " + outcome.why;
      SHOAL_TRY(catalog_.query(fmt::format(
          "UPDATE shoal.audit_finding SET state = {} WHERE job = {} AND relation = {}::oid AND"
          " shard = {} AND key = {}",
          quote_literal(state), report_.job, cell(*rows, i, 0), quote_literal(cell(*rows, i, 1)),
          quote_literal(cell(*rows, i, 2)))));
      progress_("moving keys", ++done, total);
    }
  }
}

// The outcome of a transaction whose decision row is on that shard; "abort" from now on if none.
Result<std::string> settle(const AuditServer& at, const std::string& key) {
  auto c = Pq::connect(at.dsn, std::chrono::seconds(10), "shoal audit repair");
  if (!c) return std::move(c).error();
  auto row = c->query(fmt::format(
      "INSERT INTO shoal.decision (gid, outcome) VALUES ({0}, 'abort') ON CONFLICT DO NOTHING;"
      "SELECT outcome FROM shoal.decision WHERE gid = {0}",
      quote_literal(key)));
  if (!row) return std::move(row).error();
  return cell(*row, 0, 0);
}

}  // namespace

Result<> settle_others(const AuditWorld& world) {
  for (const AuditServer& at : world.servers) {
    if (at.is_shard) continue;
    auto c = Pq::connect(at.dsn, std::chrono::seconds(10), "shoal audit repair");
    if (!c) return std::move(c).error();
    auto left = c->query(
        "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()"
        " AND gid LIKE 'shoal:%'");
    if (!left) return std::move(left).error();
    for (std::size_t i = 0; i < left->rows.size(); ++i) {
      const auto gid = txn::parse_gid(cell(*left, i, 0));
      if (!gid || gid->transaction.cluster != world.cluster ||
          !gid->transaction.router.starts_with("audit-")) {
        continue;
      }
      const AuditServer* decision = world.server(gid->decision);
      if (!decision) continue;
      auto outcome = settle(*decision, txn::decision_key(gid->transaction));
      if (!outcome) return std::move(outcome).error();
      SHOAL_TRY(c->query(fmt::format("{} PREPARED {}", *outcome == "commit" ? "COMMIT" : "ROLLBACK",
                                     quote_literal(cell(*left, i, 0)))));
    }
  }
  return {};
}

Result<> repair_findings(const AuditOptions& options, const AuditWorld& world, Pq& catalog,
                         AuditReport& report, const AuditProgress& on_progress) {
  return Repairer(options, world, catalog, report, on_progress).run();
}

}  // namespace shoal::control
