// Holds: asking for them, keeping those of others, and fencing who does not answer.
#include "control/fence.h"
#include "control/store_impl.h"
#include "control/work.h"

namespace shoal::control {

using Clock = std::chrono::steady_clock;

Result<> Store::Impl::begin_holds() {
  for (HoldRequest& h : holds) {
    if (h.id != 0) continue;
    std::string list;
    for (const Oid t : h.tables) list += fmt::format("{}{}", list.empty() ? "" : ",", t.value);
    auto rows = catalog.query(
        fmt::format("INSERT INTO shoal.hold (router, relations) VALUES ({}, '{{{}}}') RETURNING id",
                    router, list));
    if (!rows) return std::move(rows).error();
    h.id = read_number(cell(*rows, 0, 0));
    SHOAL_TRY(catalog.query("NOTIFY shoal_epoch"));
  }
  return {};
}

// Deletes the rows of holds that ended; look() then publishes what they were for.
Result<> Store::Impl::end_holds() {
  bool any = false;
  for (ReleaseRequest& r : releases) {
    to_delete.insert(to_delete.end(), r.holds.begin(), r.holds.end());
    r.holds.clear();
    any = true;
  }
  if (!to_delete.empty()) {
    std::string list;
    for (const HoldId h : to_delete) list += fmt::format("{}{}", list.empty() ? "" : ",", h);
    SHOAL_TRY(catalog.query(fmt::format("DELETE FROM shoal.hold WHERE id IN ({})", list)));
    to_delete.clear();
  }
  if (any) SHOAL_TRY(catalog.query("NOTIFY shoal_epoch"));
  return {};
}

void Store::Impl::apply_holds(const TextRows& rows) {
  std::set<Oid> tables;
  std::map<HoldId, std::uint64_t> now;
  bool fresh = false;
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    const HoldId id = read_number(cell(rows, i, 0));
    for (const std::string& t : array_elements(cell(rows, i, 1))) {
      tables.insert(Oid(static_cast<std::uint32_t>(read_number(t))));
    }
    const auto known = seen.find(id);
    fresh = fresh || known == seen.end();
    now[id] = known == seen.end() ? generation + 1 : known->second;
  }
  if (fresh || tables != held) {
    ++generation;
    held = tables;
    if (callbacks.hold) callbacks.hold({std::move(tables), generation});
  }
  seen = std::move(now);
  std::erase_if(told, [&](HoldId id) { return !seen.contains(id); });
}

// Acknowledging a generation says that all holds known by then are kept.
Result<> Store::Impl::acknowledge_holds() {
  std::uint64_t upto = 0;
  {
    std::lock_guard lock(mutex);
    upto = acknowledged;
  }
  for (const auto& [id, since] : seen) {
    if (since > upto || told.contains(id)) continue;
    SHOAL_TRY(catalog.query(fmt::format(
        "INSERT INTO shoal.hold_acknowledged (hold, router) SELECT id, {} FROM shoal.hold"
        " WHERE id = {} ON CONFLICT DO NOTHING; NOTIFY shoal_epoch",
        router, id)));
    told.insert(id);
  }
  return {};
}

Result<bool> Store::Impl::others_have_acknowledged(HoldRequest& hold) {
  auto rows = catalog.query(fmt::format(
      "SELECT r.id, r.lease_until < clock_timestamp() FROM shoal.router r WHERE r.state = 'live'"
      " AND NOT EXISTS (SELECT FROM shoal.hold_acknowledged a WHERE a.hold = {} AND a.router = "
      "r.id)",
      hold.id));
  if (!rows) return std::move(rows).error();
  // After an outage of the catalog every lease has lapsed: the others get a moment to renew theirs.
  const bool settled = Clock::now() - connected_at > options.poll * 8;
  bool all = true;
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    if (cell(*rows, i, 1) == "t" && settled) {
      SHOAL_TRY(fence(static_cast<int>(read_number(cell(*rows, i, 0)))));
    } else {
      all = false;
    }
  }
  return all;
}

Result<> Store::Impl::fence(int other) {
  log("fencing", fmt::format("router {} does not answer", other));
  auto epoch = raise_epoch_against(catalog, other);
  if (!epoch) return std::move(epoch).error();
  SHOAL_TRY(look());
  const auto until = Clock::now() + std::chrono::seconds(2);
  while (Clock::now() < until) {  // the others learn of the epoch within their poll
    auto late = catalog.query(
        fmt::format("SELECT count(*) FROM shoal.router WHERE state = 'live' AND epoch < {}"
                    " AND lease_until > clock_timestamp()",
                    *epoch));
    if (!late) return std::move(late).error();
    if (cell(*late, 0, 0) == "0") break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return fence_on_shards(catalog, other, *epoch);
}

Result<> Store::Impl::wait_for_holds() {
  for (HoldRequest& h : holds) {
    auto all = others_have_acknowledged(h);
    if (!all && !catalog.connected()) return std::move(all).error();
    if (all && !*all && Clock::now() < h.deadline) continue;
    if (all && *all) {
      h.done(h.id);
    } else {
      to_delete.push_back(h.id);
      h.done(all ? make_error("55P03", "transactions still use the tables whose placement changes",
                              "they did not end in time", "repeat the command when they have ended")
                 : std::move(all).error());
    }
    h.done = nullptr;
  }
  std::erase_if(holds, [](const HoldRequest& h) { return !h.done; });
  return {};
}

}  // namespace shoal::control
