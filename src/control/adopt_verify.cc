// Where rows lie against where the proposal puts them: all shards at once, one thread for each.
#include <atomic>
#include <mutex>
#include <thread>

#include "control/adopt.h"
#include "control/scan.h"

namespace shoal::control {
namespace {

constexpr std::size_t kExamples = 5;
constexpr double kTooMany = 0.1;  // misplaced rows beyond this share disprove the function

struct Found {
  std::uint64_t rows = 0, misplaced = 0, without_place = 0, without_key = 0, strays = 0;
  std::vector<std::string> examples;
};

// One table on one shard.
class Check {
 public:
  Check(const Servers& servers, const AdoptKeyspace& keyspace, const AdoptPlacement& placement,
        std::size_t on)
      : servers_(servers), keyspace_(keyspace), placement_(placement), on_(on) {}

  Result<> each(const std::vector<ScanRow>& rows, Found& found) const {
    for (const ScanRow& row : rows) {
      ++found.rows;
      auto key = parse_key(keyspace_.types, row);
      if (!key) {
        if (key.error().sqlstate != "23502") return std::move(key).error();
        ++found.without_key;
        continue;
      }
      const std::size_t owner = place(*key);
      if (owner == on_) continue;
      const bool nowhere = owner == AdoptKeyspace::kNobody;
      found.strays += !nowhere && !keyspace_.owns_something(on_);
      ++(nowhere ? found.without_place : found.misplaced);
      if (found.examples.size() >= kExamples) continue;
      found.examples.push_back(fmt::format(
          "{} is on {} and belongs {}", keys::canonical_text(*key), servers_.specs[on_].name,
          nowhere ? "nowhere" : "on " + servers_.specs[owner].name));
    }
    return {};
  }

 private:
  std::size_t place(const std::vector<keys::KeyValue>& key) const {
    if (!keyspace_.pins.empty()) {
      const auto pin = keyspace_.pins.find(keys::canonical_text(key));
      if (pin != keyspace_.pins.end()) return pin->second;
    }
    const auto slot = keyspace_.made->slot(key);
    const auto bucket = slot ? keyspace_.made->bucket_of(*slot) : std::nullopt;
    return bucket ? keyspace_.owners[*bucket] : AdoptKeyspace::kNobody;
  }

  const Servers& servers_;
  const AdoptKeyspace& keyspace_;
  const AdoptPlacement& placement_;
  std::size_t on_;
};

class Verifier {
 public:
  Verifier(Servers& servers, const AdoptOptions& options, Adoption& adoption,
           const Progress& progress)
      : servers_(servers), options_(options), adoption_(adoption), progress_(progress) {}

  Result<> run() {
    for (const AdoptPlacement& p : adoption_.placements) {
      if (p.kind != AdoptPlacement::Kind::kSharded) continue;
      for (const auto& here : servers_.tables[p.table].on) {
        if (here) expected_ += static_cast<std::uint64_t>(here->rows);
      }
    }
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < servers_.specs.size(); ++i) {
      threads.emplace_back([this, i] { run_shard(i); });
    }
    for (std::thread& t : threads) t.join();
    if (error_) return *error_;
    return {};
  }

 private:
  void run_shard(std::size_t on) {
    for (AdoptPlacement& p : adoption_.placements) {
      if (p.kind != AdoptPlacement::Kind::kSharded || stop_) continue;
      if (auto done = run_table(p, on); !done) fail(std::move(done).error(), on);
    }
  }

  Result<> run_table(AdoptPlacement& p, std::size_t on) {
    const AdoptTable& t = servers_.tables[p.table];
    if (!t.on[on]) return {};
    ScanSpec spec;
    spec.table = t.quoted();
    for (const std::string& c : p.key) spec.columns.push_back(quote_ident(c));
    spec.estimate = t.on[on]->rows;
    spec.sample = options_.verify_all ? 0 : options_.sample;
    spec.stop = &stop_;
    const Check check(servers_, adoption_.keyspaces[p.keyspace], p, on);
    Found found;
    const auto each = [&](const std::vector<ScanRow>& rows) -> Result<> {
      SHOAL_TRY(check.each(rows, found));
      const std::lock_guard lock(mutex_);
      done_ += rows.size();
      progress_("verifying " + t.shown(), done_, options_.verify_all ? expected_ : 0);
      return {};
    };
    auto scanned = scan_rows(servers_.connections[on], spec, each);
    if (!scanned) return std::move(scanned).error();
    const std::lock_guard lock(mutex_);
    p.rows += found.rows;
    p.misplaced += found.misplaced;
    p.strays += found.strays;
    p.without_place += found.without_place;
    p.without_key += found.without_key;
    for (std::string& e : found.examples) {
      if (p.examples.size() < kExamples) p.examples.push_back(std::move(e));
    }
    return {};
  }

  void fail(Error e, std::size_t on) {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    if (error_ && error_->sqlstate != "57014") return;
    e.shard = servers_.specs[on].name;
    e.message = fmt::format("shard {}: {}", e.shard, e.message);
    error_ = std::move(e);
  }

  Servers& servers_;
  const AdoptOptions& options_;
  Adoption& adoption_;
  const Progress& progress_;
  std::mutex mutex_;
  std::atomic<bool> stop_{false};
  std::uint64_t done_ = 0, expected_ = 0;
  std::optional<Error> error_;
};

void judge(const AdoptTable& t, const AdoptPlacement& p, Adoption& out) {
  if (p.without_key > 0) {
    out.problems.push_back(fmt::format(
        "{}: {} rows have no key: give them one, or state another key", t.shown(), p.without_key));
  }
  if (p.rows == 0) return;
  // What lies on a server without slots says nothing about the function.
  const std::uint64_t wrong = p.misplaced + p.without_place - p.strays;
  if (static_cast<double>(wrong) > kTooMany * static_cast<double>(p.rows - p.strays)) {
    out.problems.push_back(fmt::format(
        "{}: {} of {} rows are not where this function puts them: it is not the one that placed "
        "them",
        t.shown(), wrong, p.rows));
    return;
  }
  if (p.without_place > 0) {
    out.problems.push_back(
        fmt::format("{}: {} rows have keys that no shard owns", t.shown(), p.without_place));
  }
  if (p.strays > 0) {
    out.notes.push_back(fmt::format("{}: {} of the misplaced rows lie on a server that owns no key",
                                    t.shown(), p.strays));
  }
  if (p.misplaced > 0) {
    out.notes.push_back(fmt::format(
        "{}: {} of {} rows lie on another shard than their key says, and will not be found by "
        "their key. shoal audit lists all of them, shoal audit --repair moves them",
        t.shown(), p.misplaced, p.rows));
  }
}

}  // namespace

Result<> verify(Servers& servers, const AdoptOptions& options, Adoption& adoption,
                const Progress& progress) {
  SHOAL_TRY(Verifier(servers, options, adoption, progress).run());
  for (const AdoptPlacement& p : adoption.placements) {
    if (p.kind == AdoptPlacement::Kind::kSharded) judge(servers.tables[p.table], p, adoption);
  }
  return {};
}

}  // namespace shoal::control
