// The audit as a job of the catalog: one thread for each server, parts that are done are not done
// again.
#include "control/audit.h"

#include <charconv>
#include <mutex>
#include <thread>

#include "control/audit_part.h"
#include "control/recovery.h"
#include "control/work.h"

namespace shoal::control {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout{10'000};

Result<Pq> connect(const std::string& dsn) {
  auto c = Pq::connect(dsn, kConnectTimeout, "shoal audit");
  if (!c) return c;
  SHOAL_TRY(set_key_settings(*c));
  return c;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& t : texts) out += (out.empty() ? "" : " ") + t;
  return out;
}

class Auditor {
 public:
  Auditor(const AuditOptions& options, const AuditProgress& progress)
      : options_(options), progress_(progress) {}
  Result<AuditReport> run();

 private:
  Result<> begin_job();
  Result<> finish_job(bool finished);
  void run_server(const AuditServer& at);
  Result<> audit_server(const AuditServer& at);
  Result<> read_copies(Pq& server, const AuditServer& at);
  void judge_copies();
  Result<> report();
  void step(const std::string& what, std::uint64_t rows);

  const AuditOptions& options_;
  const AuditProgress& progress_;
  Pq catalog_;
  AuditWorld world_;
  AuditReport report_;
  std::mutex mutex_;  // of what follows, and of progress_
  std::uint64_t done_ = 0, expected_ = 0;
  std::map<std::string, std::map<std::string, std::string>> copies_;  // table -> shard -> sum
  std::optional<Error> error_;
  std::atomic<bool> stop_{false};
  AuditOptions shared_;  // options with our own stop flag
};

// One job a time; --resume goes on with the last one that did not finish.
Result<> Auditor::begin_job() {
  const std::string subject = options_.tables.empty() ? "all tables" : joined(options_.tables);
  std::string names;
  for (const AuditServer& s : world_.servers) {
    if (!s.is_shard) names += (names.empty() ? "" : " ") + s.name;
  }
  if (options_.resume) {
    auto last = catalog_.query(
        "SELECT id, subject, params->>'also' FROM shoal.jobs WHERE kind = 'audit' AND state <>"
        " 'done' ORDER BY id DESC LIMIT 1");
    if (!last) return std::move(last).error();
    if (last->rows.empty()) return make_error("02000", "there is no unfinished audit");
    if (cell(*last, 0, 1) != subject || cell(*last, 0, 2) != names) {
      return make_error(
          "22023",
          fmt::format("the unfinished audit {} is of {}", cell(*last, 0, 0), cell(*last, 0, 1)), "",
          "name the same tables and servers, or start a new one");
    }
    report_.job = std::stoll(cell(*last, 0, 0));
    SHOAL_TRY(catalog_.query(fmt::format(
        "UPDATE shoal.jobs SET state = 'running', changed = now() WHERE id = {}", report_.job)));
    return {};
  }
  auto id = catalog_.query(fmt::format(
      "INSERT INTO shoal.jobs (kind, state, subject, params) VALUES ('audit', 'running', {},"
      " pg_catalog.jsonb_build_object('also', {}::text)) RETURNING id",
      quote_literal(subject), quote_literal(names)));
  if (!id) return std::move(id).error();
  report_.job = std::stoll(cell(*id, 0, 0));
  return {};
}

Result<> Auditor::finish_job(bool finished) {
  SHOAL_TRY(catalog_.query(fmt::format(
      "UPDATE shoal.jobs SET state = '{}', progress = {}, changed = now() WHERE id = {}",
      finished ? "done" : "stopped",
      finished ? 1.0 : std::min(0.99, double(done_) / std::max(1.0, double(expected_))),
      report_.job)));
  if (finished) {  // an audit is about now: older ones have nothing to add
    SHOAL_TRY(catalog_.query(
        fmt::format("DELETE FROM shoal.jobs WHERE kind = 'audit' AND id < {} - 20", report_.job)));
  }
  return {};
}

void Auditor::step(const std::string& what, std::uint64_t rows) {
  const std::lock_guard lock(mutex_);
  done_ += rows;
  progress_(what, done_, std::max(expected_, done_));
}

Result<> Auditor::audit_server(const AuditServer& at) {
  auto server = connect(at.dsn);
  if (!server) return std::move(server).error();
  auto catalog = connect(options_.catalog_dsn);
  if (!catalog) return std::move(catalog).error();
  auto parts = list_parts(*server, at, world_);
  if (!parts) return std::move(parts).error();
  auto known = catalog->query(
      fmt::format("SELECT relation::oid::int8, part FROM shoal.audit_part WHERE job = {} AND"
                  " shard = {}",
                  report_.job, quote_literal(at.name)));
  if (!known) return std::move(known).error();
  std::erase_if(*parts, [&](const AuditPart& p) {
    return std::any_of(known->rows.begin(), known->rows.end(), [&](const auto& row) {
      return row[0] == std::to_string(world_.tables[p.table].oid.value) && row[1] == p.name;
    });
  });
  {
    const std::lock_guard lock(mutex_);
    for (const AuditPart& p : *parts) expected_ += static_cast<std::uint64_t>(p.rows);
  }
  for (const AuditPart& part : *parts) {
    const std::string what = "auditing " + world_.tables[part.table].name;
    auto result = read_part(*server, at, world_, part, shared_,
                            [&](std::uint64_t rows) { step(what, rows); });
    if (!result) return std::move(result).error();
    SHOAL_TRY(record_part(*catalog, report_.job, at, world_, part, *result));
  }
  SHOAL_TRY(compare_findings(*catalog, report_.job, *server, at, world_, shared_,
                             [&](std::uint64_t) { step("comparing rows", 0); }));
  if (options_.tables.empty() && at.is_shard) return read_copies(*server, at);
  return {};
}

// Number and sum of hashes of every reference table: equal on all shards, or copies differ.
Result<> Auditor::read_copies(Pq& server, const AuditServer& at) {
  for (const auto& [oid, t] : world_.snapshot->tables_by_oid) {
    if (t.kind != catalog::TableKind::kReference || t.relkind != 'r') continue;
    const std::string name = quote_ident(t.schema) + "." + quote_ident(t.name);
    std::string columns;
    for (const catalog::Column& c : t.columns) {
      if (!c.generated) columns += (columns.empty() ? "" : ", ") + quote_ident(c.name);
    }
    auto sum = server.query(fmt::format(
        "SELECT pg_catalog.count(*) || ' rows, sum of hashes ' || coalesce(pg_catalog.sum("
        "pg_catalog.hashtextextended(ROW({})::pg_catalog.text, 0)::pg_catalog.numeric), 0)"
        " FROM {}",
        columns, name));
    if (!sum) return std::move(sum).error();
    const std::lock_guard lock(mutex_);
    copies_[t.schema == "public" ? t.name : t.schema + "." + t.name][at.name] = cell(*sum, 0, 0);
  }
  return {};
}

void Auditor::judge_copies() {
  const AuditServer* home = world_.server(world_.snapshot->home);
  if (!home) return;
  for (const auto& [table, by_shard] : copies_) {
    const auto right = by_shard.find(home->name);
    for (const auto& [shard, sum] : by_shard) {
      if (right == by_shard.end() || sum == right->second) continue;
      report_.copies_differ.push_back(fmt::format("{}: {} has {}; home ({}) has {}", table, shard,
                                                  sum, home->name, right->second));
    }
  }
}

void Auditor::run_server(const AuditServer& at) {
  auto done = audit_server(at);
  if (done) return;
  const std::lock_guard lock(mutex_);
  stop_ = true;
  if (error_ && error_->sqlstate != "57014") return;
  error_ = std::move(done).error();
  error_->shard = at.name;
  if (error_->sqlstate != "57014") {
    error_->message = fmt::format("{}: {}", at.name, error_->message);
    if (error_->hint.empty()) error_->hint = "shoal audit --resume goes on from here";
  }
}

Result<> Auditor::report() {
  const auto number = [](const std::string& text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  const auto name_of = [&](const std::string& oid) {
    for (const AuditTable& t : world_.all_tables) {
      if (std::to_string(t.oid.value) == oid) return t.name;
    }
    return oid;
  };
  auto parts = catalog_.query(fmt::format(
      "SELECT p.relation::oid::int8, p.shard, sum(p.rows), sum(misplaced), sum(without_key),"
      " sum(without_place), coalesce((SELECT sum(duplicates) || ' ' || sum(conflicts)"
      " FROM shoal.audit_finding f WHERE f.job = p.job AND f.relation::oid = p.relation::oid"
      " AND f.shard = p.shard), '0 0') FROM shoal.audit_part p WHERE p.job = {0}"
      " GROUP BY p.job, p.relation, p.shard",
      report_.job));
  if (!parts) return std::move(parts).error();
  report_.counts.clear();
  for (std::size_t i = 0; i < parts->rows.size(); ++i) {
    AuditCount& c = report_.counts[{name_of(cell(*parts, i, 0)), cell(*parts, i, 1)}];
    c.rows = number(cell(*parts, i, 2));
    c.misplaced = number(cell(*parts, i, 3));
    c.without_key = number(cell(*parts, i, 4));
    c.without_place = number(cell(*parts, i, 5));
    const std::string both = cell(*parts, i, 6);
    c.duplicates = number(both);
    c.conflicts = number(both.substr(both.find(' ') + 1));
  }
  auto found = catalog_.query(fmt::format(
      "SELECT relation::oid::int8, shard, key, coalesce(belongs, ''), rows, duplicates, conflicts,"
      " state, count(*) OVER () FROM shoal.audit_finding WHERE job = {}"
      " ORDER BY conflicts > 0 DESC, relation::oid, shard, key LIMIT {}",
      report_.job, std::max<std::size_t>(options_.shown, 1)));
  if (!found) return std::move(found).error();
  report_.findings.clear();
  for (std::size_t i = 0; i < found->rows.size(); ++i) {
    AuditFinding f{
        name_of(cell(*found, i, 0)), cell(*found, i, 1), cell(*found, i, 2), cell(*found, i, 3), {},
        cell(*found, i, 7)};
    f.count.rows = number(cell(*found, i, 4));
    f.count.duplicates = number(cell(*found, i, 5));
    f.count.conflicts = number(cell(*found, i, 6));
    report_.keys = number(cell(*found, i, 8));
    if (i < options_.shown) report_.findings.push_back(std::move(f));
  }
  return {};
}

Result<AuditReport> Auditor::run() {
  auto c = connect(options_.catalog_dsn);
  if (!c) return std::move(c).error();
  catalog_ = std::move(*c);
  auto world = read_audit_world(catalog_, options_);
  if (!world) return std::move(world).error();
  world_ = std::move(*world);
  if (options_.repair) {
    RecoveryOptions recovery;
    recovery.catalog_dsn = options_.catalog_dsn;
    auto settled = recover(recovery);
    if (!settled) return std::move(settled).error();
    SHOAL_TRY(settle_others(world_));
  }
  SHOAL_TRY(begin_job());
  shared_ = options_;
  shared_.stop = &stop_;
  std::atomic<bool> over{false};
  // The caller's flag becomes ours, so that one server's error stops the others too.
  std::thread watch([&] {
    while (!over) {
      if (options_.stop != nullptr && options_.stop->load()) stop_ = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  });
  std::vector<std::thread> threads;
  for (const AuditServer& at : world_.servers) {
    threads.emplace_back([this, &at] { run_server(at); });
  }
  for (std::thread& t : threads) t.join();
  over = true;
  watch.join();
  report_.finished = !error_;
  SHOAL_TRY(finish_job(report_.finished));
  if (error_ && error_->sqlstate != "57014") return *error_;
  judge_copies();
  if (options_.repair && report_.finished) {
    SHOAL_TRY(repair_findings(options_, world_, catalog_, report_, progress_));
  }
  SHOAL_TRY(report());
  return std::move(report_);
}

}  // namespace

AuditCount& AuditCount::operator+=(const AuditCount& o) {
  rows += o.rows;
  misplaced += o.misplaced;
  duplicates += o.duplicates;
  conflicts += o.conflicts;
  without_key += o.without_key;
  without_place += o.without_place;
  return *this;
}

AuditCount AuditReport::total() const {
  AuditCount out;
  for (const auto& [at, count] : counts) out += count;
  return out;
}

Result<AuditReport> run_audit(const AuditOptions& options, const AuditProgress& on_progress) {
  return Auditor(options, on_progress).run();
}

}  // namespace shoal::control
