// One core: one thread, one event loop, the tasks that live there. All waiting in Shoal happens in
// the awaitables of this header and of stream.h.
// Thread rule: everything is called on the core's own thread except post(), stop() and run().
#pragma once
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "io/task.h"

namespace shoal::io {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

// A point in time after which an operation fails with ETIMEDOUT. Handed down as a value.
struct Deadline {
  Clock::time_point at = Clock::time_point::max();
  static Deadline never() { return {}; }
  static Deadline in(Milliseconds ms) { return {Clock::now() + ms}; }
};

class Core {
 public:
  explicit Core(int index);
  ~Core();
  Core(const Core&) = delete;

  int index() const { return index_; }
  // Runs until stop(). The calling thread becomes the core's thread; it should have the deep stack
  // that run_on_deep_stack gives, because parsing happens here.
  void run();
  void stop();  // any thread
  // Runs `fn` on this core soon. Any thread.
  void post(std::function<void()> fn);
  // Starts a task that nobody awaits; it lives until it ends. Count of living ones: spawned().
  void spawn(Task<> task);
  std::size_t spawned() const { return spawned_; }
  // Resumes `h` from the loop, not from inside the caller (breaks recursion).
  void resume_later(std::coroutine_handle<> h);

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  int index_;
  std::size_t spawned_ = 0;
  std::unique_ptr<Impl> impl_;
};

// The core that the calling thread runs; never null inside a task.
Core& this_core();

// Runs `fn` in a new thread with `kDeepStackBytes` of reserved (not committed) stack and joins.
inline constexpr std::size_t kDeepStackBytes = 512u << 20;
class Thread {
 public:
  explicit Thread(std::function<void()> fn);
  ~Thread();  // joins
  void join();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

Task<> sleep_for(Milliseconds ms);

// Wakes waiting tasks of the same core. set() wakes all; wait() returns true when woken, false when
// the deadline passed. A waiter must not outlive the event.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  ~Event();
  void set();
  Task<bool> wait(Deadline deadline);

 private:
  struct Waiter;
  std::list<Waiter*> waiters_;
};

// Children that are awaited together. The destructor aborts if children still run.
class TaskGroup {
 public:
  void start(Task<> child);
  Task<> join();  // until all have ended
  std::size_t running() const { return running_; }
  ~TaskGroup();

 private:
  static Task<> run(TaskGroup* group, Task<> child);
  std::size_t running_ = 0;
  std::coroutine_handle<> joiner_;
};

}  // namespace shoal::io
