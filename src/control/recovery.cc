// Gathers facts, acts, and proves by looking again.
#include "control/recovery.h"

#include <charconv>
#include <map>

#include "control/work.h"
#include "txn/recovery.h"

namespace shoal::control {
namespace {

constexpr int kRounds = 3;  // settling changes the facts, so they are gathered again

struct ShardLink {
  ShardId id;
  std::string name, dsn;
  Pq connection;
};

struct Gathered {
  txn::RecoveryFacts facts;
  std::set<ShardId> prepared_read;
};

class Recovery {
 public:
  explicit Recovery(const RecoveryOptions& options) : options_(options) {}
  Result<RecoveryReport> run();

 private:
  Result<> read_catalog();
  void connect();
  Result<std::set<std::string>> live_routers();
  std::set<txn::Prepared> read_prepared(std::set<ShardId>& read, bool with_age);
  void read_decisions(txn::RecoveryFacts& facts);
  Result<Gathered> gather();
  bool act(const txn::Resolution& r);
  void forget(const Gathered& gathered);
  ShardLink* link(ShardId id);

  const RecoveryOptions& options_;
  Pq catalog_;
  std::string cluster_;
  std::vector<ShardLink> links_;
  std::set<ShardId> all_;
  std::map<std::string, bool> young_;  // by gid: prepared for less than patience
  RecoveryReport report_;
};

ShardId shard_id(const std::string& text) {
  std::int32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return ShardId(value);
}

Result<> Recovery::read_catalog() {
  auto c = Pq::connect(options_.catalog_dsn, options_.connect_timeout, "shoal recovery");
  if (!c) return std::move(c).error();
  catalog_ = std::move(*c);
  auto rows = catalog_.query(
      "SELECT s.id, s.name, s.dsn, c.name FROM shoal.shard s, shoal.cluster c WHERE s.active");
  if (!rows) return std::move(rows).error();
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    links_.push_back({shard_id(cell(*rows, i, 0)), cell(*rows, i, 1), cell(*rows, i, 2), {}});
    all_.insert(links_.back().id);
    cluster_ = cell(*rows, i, 3);
  }
  return {};
}

void Recovery::connect() {
  for (ShardLink& l : links_) {
    auto c = Pq::connect(l.dsn, options_.connect_timeout, "shoal recovery");
    if (c) {
      l.connection = std::move(*c);
      // A settlement waits for a last agent at work, but not for ever; the next run comes soon.
      (void)l.connection.query(fmt::format("SET lock_timeout = {}; SET statement_timeout = {}",
                                           options_.lock_timeout.count(),
                                           options_.lock_timeout.count() + 10'000));
    } else {
      report_.unreachable.push_back(l.name);
    }
  }
}

ShardLink* Recovery::link(ShardId id) {
  for (ShardLink& l : links_) {
    if (l.id == id && l.connection.connected()) return &l;
  }
  return nullptr;
}

Result<std::set<std::string>> Recovery::live_routers() {
  auto rows = catalog_.query(
      "SELECT id FROM shoal.router WHERE state = 'live' AND lease_until > clock_timestamp()");
  if (!rows) return std::move(rows).error();
  std::set<std::string> out;
  for (std::size_t i = 0; i < rows->rows.size(); ++i) out.insert(cell(*rows, i, 0));
  return out;
}

std::set<txn::Prepared> Recovery::read_prepared(std::set<ShardId>& read, bool with_age) {
  std::set<txn::Prepared> out;
  for (ShardLink& l : links_) {
    if (!l.connection.connected()) continue;
    auto rows = l.connection.query(
        fmt::format("SELECT gid, owner, clock_timestamp() - prepared < interval '{} seconds'"
                    " FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()"
                    " AND gid LIKE 'shoal:%'",
                    options_.patience.count()));
    if (!rows) {
      report_.errors.push_back(fmt::format("shard {}: {}", l.name, rows.error().message));
      continue;
    }
    read.insert(l.id);
    for (std::size_t i = 0; i < rows->rows.size(); ++i) {
      out.insert({l.id, cell(*rows, i, 0), cell(*rows, i, 1)});
      if (with_age) young_[cell(*rows, i, 0)] = cell(*rows, i, 2) == "t";
    }
  }
  return out;
}

void Recovery::read_decisions(txn::RecoveryFacts& facts) {
  for (ShardLink& l : links_) {
    if (!l.connection.connected()) continue;
    auto rows = l.connection.query("SELECT gid, outcome FROM shoal.decision");
    if (!rows) {
      report_.errors.push_back(fmt::format("shard {}: {}", l.name, rows.error().message));
      continue;
    }
    facts.decisions_read.insert(l.id);
    for (std::size_t i = 0; i < rows->rows.size(); ++i) {
      facts.decisions[cell(*rows, i, 0)] =
          cell(*rows, i, 1) == "commit" ? txn::Decision::kCommit : txn::Decision::kAbort;
    }
  }
}

Result<Gathered> Recovery::gather() {
  Gathered g;
  g.facts.cluster = cluster_;
  g.facts.prepared_before = read_prepared(g.prepared_read, true);
  auto live = live_routers();
  if (!live) return std::move(live).error();
  for (const txn::Prepared& p : g.facts.prepared_before) {
    const auto gid = txn::parse_gid(p.gid);
    if (gid && young_[p.gid] && live->contains(gid->transaction.router)) {
      g.facts.active.insert(gid->transaction);
    }
  }
  read_decisions(g.facts);
  std::set<ShardId> second;
  g.facts.prepared_after = read_prepared(second, false);
  std::set<ShardId> both;
  std::set_intersection(g.prepared_read.begin(), g.prepared_read.end(), second.begin(),
                        second.end(), std::inserter(both, both.begin()));
  g.prepared_read = std::move(both);
  return g;
}

// True when the facts may have changed.
bool Recovery::act(const txn::Resolution& r) {
  using Kind = txn::Resolution::Kind;
  if (r.kind == Kind::kLeave) return false;
  const bool settle = r.kind == Kind::kSettle;
  ShardLink* l = link(settle ? r.decision_shard : r.what.shard);
  if (!l) return false;
  std::string sql;
  if (settle) {
    sql = fmt::format(
        "INSERT INTO shoal.decision (gid, outcome) VALUES ({}, 'abort')"
        " ON CONFLICT DO NOTHING",
        quote_literal(r.key));
  } else {
    // COMMIT PREPARED is for the role that prepared and for superusers; a service role that is
    // neither may still be a member.
    (void)l->connection.query("SET ROLE " + quote_ident(r.what.owner));
    sql = fmt::format("{} PREPARED {}", r.kind == Kind::kCommit ? "COMMIT" : "ROLLBACK",
                      quote_literal(r.what.gid));
  }
  auto done = l->connection.query(sql);
  if (!settle) (void)l->connection.query("RESET ROLE");
  if (!done) {
    report_.errors.push_back(
        fmt::format("shard {}: {}: {}", l->name, r.what.gid, done.error().message));
  }
  return true;
}

void Recovery::forget(const Gathered& gathered) {
  for (const std::string& key : txn::forgettable(gathered.facts, all_, gathered.prepared_read)) {
    for (ShardLink& l : links_) {
      if (!l.connection.connected()) continue;
      auto done = l.connection.query(fmt::format(
          "DELETE FROM shoal.decision WHERE gid = {} AND outcome = 'commit'", quote_literal(key)));
      if (done) report_.forgotten += static_cast<int>(affected_rows(done->tag));
    }
  }
  for (ShardLink& l : links_) {
    if (!l.connection.connected()) continue;
    (void)l.connection.query(
        "DELETE FROM shoal.decision WHERE outcome = 'abort' AND at < now() - interval '7 days'");
  }
}

Result<RecoveryReport> Recovery::run() {
  SHOAL_TRY(read_catalog());
  connect();
  std::map<txn::Prepared, txn::Resolution::Kind> tried;
  for (int round = 0; round < kRounds; ++round) {
    auto gathered = gather();
    if (!gathered) return std::move(gathered).error();
    bool changed = false;
    for (const txn::Resolution& r : txn::resolve(gathered->facts)) {
      if (r.kind == txn::Resolution::Kind::kCommit || r.kind == txn::Resolution::Kind::kRollback) {
        tried[r.what] = r.kind;
      }
      changed |= act(r);
    }
    if (changed) continue;
    forget(*gathered);
    break;
  }
  std::set<ShardId> read;
  const std::set<txn::Prepared> now = read_prepared(read, false);
  for (const auto& [prepared, kind] : tried) {
    if (now.contains(prepared) || !read.contains(prepared.shard)) continue;
    (kind == txn::Resolution::Kind::kCommit ? report_.committed : report_.aborted)++;
  }
  for (const txn::Prepared& p : now) {
    const auto gid = txn::parse_gid(p.gid);
    if (gid && gid->transaction.cluster == cluster_) ++report_.left;
  }
  return std::move(report_);
}

}  // namespace

Result<RecoveryReport> recover(const RecoveryOptions& options) {
  return Recovery(options).run();
}

}  // namespace shoal::control
