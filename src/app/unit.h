// One core of the router with everything that lives on it.
// Thread rule: touched only on its own core once that runs.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "app/router.h"
#include "exec/core_context.h"
#include "io/core.h"
#include "session/session.h"

namespace shoal::app {

// A hold as one core works it off: `report` is called once when nothing in flight touches it.
struct HoldProgress {
  std::function<void()> report;
  bool reported = false;
};

struct Router::Unit final : session::LoginHooks {
  Unit(Router& owner, int index, std::size_t pool_share, const Limits& limits)
      : router(owner),
        core(index),
        context(core, pool_share, limits),
        plans(limits.plan_cache_entries),
        statements(limits.plan_cache_entries) {}

  io::Task<Result<std::optional<std::string>>> verifier(std::string user) override;
  void cancel(std::int32_t pid, std::string secret) override;
  std::pair<std::int32_t, std::string> new_cancel_key() override;
  void check_drained();

  Router& router;
  io::Core core;
  exec::CoreContext context;
  session::PlanCache plans;
  session::StatementCache statements;
  struct Client {
    session::Session* session;
    std::string secret;
  };
  std::unordered_map<std::int32_t, Client> clients;  // by cancel pid
  std::int32_t next_pid = 0;
  HoldProgress holding;
};

}  // namespace shoal::app
