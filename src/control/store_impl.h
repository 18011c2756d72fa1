// The inside of the store: one loop over "look at the catalog, do what is asked for, wait".
// Requests of other threads are queued under the mutex and answered by their own completion
// function. Thread rule: the store's thread, but for what the mutex guards.
#pragma once
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "control/pq.h"
#include "control/recovery.h"
#include "control/store.h"

namespace shoal::control {

std::int64_t read_number(const std::string& text);  // 0 when it is none

struct Store::Impl {
  struct HoldRequest {
    std::vector<Oid> tables;
    std::function<void(Result<HoldId>)> done;
    HoldId id = 0;
    std::chrono::steady_clock::time_point deadline;
  };
  struct ReleaseRequest {
    std::vector<HoldId> holds;
    bool committed = false;
    std::function<void()> done;
    std::chrono::steady_clock::time_point deadline;
  };

  Options options;
  Callbacks callbacks;
  std::string secret;
  int router = 0;
  int wake_fd = -1;

  std::mutex mutex;  // guards what follows, up to the thread's own
  catalog::SnapshotPtr snapshot;
  std::deque<HoldRequest> new_holds;
  std::deque<ReleaseRequest> new_releases;
  std::uint64_t acknowledged = 0;
  bool stopping = false;
  std::condition_variable stopped;  // wakes the recovery thread

  // The thread's own.
  Pq catalog;
  bool reported_down = false;
  std::vector<HoldRequest> holds;
  std::vector<ReleaseRequest> releases;
  std::vector<HoldId> to_delete;
  std::chrono::steady_clock::time_point lease_renewed{}, mark_read{}, connected_at{};
  std::uint64_t generation = 0;
  std::set<Oid> held;
  std::map<HoldId, std::uint64_t> seen;  // holds that exist, with the generation that has them
  std::set<HoldId> told;                 // those acknowledged in the catalog
  std::thread thread, recovery;

  void log(std::string_view event, std::string_view text) {
    if (callbacks.log) callbacks.log(event, text);
  }
  Result<> connect();
  Result<> register_router();
  Result<> load();
  Result<> tick();
  Result<> begin_holds();
  Result<> look();
  Result<> notice_outside_changes();
  Result<> check_own_state(const std::string& state);
  Result<> renew_lease();
  void apply_holds(const TextRows& rows);
  Result<> acknowledge_holds();
  Result<> wait_for_holds();
  Result<bool> others_have_acknowledged(HoldRequest& hold);
  Result<> fence(int other);
  Result<> end_holds();
  void fail_requests(const Error& e);
  void take_requests();
  void pause();
  void run();
  void run_recovery();
  void tidy(const RecoveryReport& report, std::set<int>& suspects);
  void wake() {
    const std::uint64_t one = 1;
    (void)!::write(wake_fd, &one, sizeof(one));
  }
};

}  // namespace shoal::control
