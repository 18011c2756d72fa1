// A core's thread, its tasks, timers and events; the loop itself is in reactor.cc.
#include "io/core.h"

#include <pthread.h>

#include <cassert>

#include "io/reactor.h"

namespace shoal::io {
namespace {

thread_local Core* current_core = nullptr;

// Free lists of coroutine frames by size class of 64 bytes, per thread, each at most kKept long.
struct FrameCache {
  static constexpr std::size_t kClasses = 64, kKept = 512;
  struct Node {
    Node* next;
  };
  Node* head[kClasses] = {};
  std::size_t count[kClasses] = {};
  ~FrameCache() {
    for (Node* node : head)
      while (node) ::operator delete(std::exchange(node, node->next));
  }
};
thread_local FrameCache frames;

struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    [[noreturn]] void unhandled_exception() { std::abort(); }
  };
};

Detached run_detached(Task<> task, std::size_t* running) {
  ++*running;
  co_await task;
  --*running;
}

}  // namespace

void* allocate_frame(std::size_t bytes) {
  std::size_t c = (bytes + 63) / 64;
  if (c >= FrameCache::kClasses) return ::operator new(bytes);
  if (FrameCache::Node* node = frames.head[c]) {
    frames.head[c] = node->next;
    --frames.count[c];
    return node;
  }
  return ::operator new(c * 64);
}

void free_frame(void* frame, std::size_t bytes) noexcept {
  std::size_t c = (bytes + 63) / 64;
  if (c >= FrameCache::kClasses || frames.count[c] >= FrameCache::kKept) {
    ::operator delete(frame);
    return;
  }
  auto* node = static_cast<FrameCache::Node*>(frame);
  node->next = frames.head[c];
  frames.head[c] = node;
  ++frames.count[c];
}

Core::Core(int index) : index_(index), impl_(std::make_unique<Impl>()) {}
Core::~Core() = default;

void Core::run() {
  current_core = this;
  impl_->run();
  current_core = nullptr;
}

void Core::stop() {
  impl_->stopped = true;
  impl_->mailbox->wake();
}

void Core::post(std::function<void()> fn) {
  impl_->mailbox->put(std::move(fn));
}

void Core::spawn(Task<> task) {
  run_detached(std::move(task), &spawned_);
}

void Core::resume_later(std::coroutine_handle<> h) {
  impl_->ready.push_back(h);
}

Core& this_core() {
  assert(current_core);
  return *current_core;
}

struct Thread::Impl {
  pthread_t id{};
  bool joined = false;
  std::function<void()> fn;
};

Thread::Thread(std::function<void()> fn) : impl_(std::make_unique<Impl>()) {
  impl_->fn = std::move(fn);
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, kDeepStackBytes);
  int rc = pthread_create(
      &impl_->id, &attr,
      [](void* arg) -> void* {
        static_cast<Impl*>(arg)->fn();
        return nullptr;
      },
      impl_.get());
  pthread_attr_destroy(&attr);
  if (rc != 0) std::abort();
}

Thread::~Thread() {
  join();
}

void Thread::join() {
  if (!std::exchange(impl_->joined, true)) pthread_join(impl_->id, nullptr);
}

Task<> sleep_for(Milliseconds ms) {
  struct Sleep {
    Clock::time_point until;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) {
      this_core().impl().at(until, [h] { h.resume(); });
    }
    void await_resume() const noexcept {}
  };
  co_await Sleep{Clock::now() + ms};
}

struct Event::Waiter {
  std::list<Waiter*>& list;
  Deadline deadline;
  std::coroutine_handle<> handle;
  std::list<Waiter*>::iterator place;
  Core::Impl::Timers::iterator timer;
  bool timed = false;
  bool woken = false;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) {
    handle = h;
    place = list.insert(list.end(), this);
    if (deadline.at == Clock::time_point::max()) return;
    timed = true;
    timer = this_core().impl().at(deadline.at, [this] {
      timed = false;
      list.erase(place);
      handle.resume();
    });
  }
  bool await_resume() const noexcept { return woken; }
};

Event::~Event() {
  assert(waiters_.empty());
}

void Event::set() {
  std::list<Waiter*> all = std::move(waiters_);
  waiters_.clear();
  for (Waiter* w : all) {
    w->woken = true;
    if (std::exchange(w->timed, false)) this_core().impl().timers.erase(w->timer);
    this_core().resume_later(w->handle);
  }
}

Task<bool> Event::wait(Deadline deadline) {
  Waiter waiter{.list = waiters_, .deadline = deadline};
  co_return co_await waiter;
}

void TaskGroup::start(Task<> child) {
  ++running_;
  this_core().spawn(run(this, std::move(child)));
}

Task<> TaskGroup::run(TaskGroup* group, Task<> child) {
  co_await child;
  if (--group->running_ == 0 && group->joiner_)
    this_core().resume_later(std::exchange(group->joiner_, nullptr));
}

Task<> TaskGroup::join() {
  struct Wait {
    TaskGroup* group;
    bool await_ready() const noexcept { return group->running_ == 0; }
    void await_suspend(std::coroutine_handle<> h) { group->joiner_ = h; }
    void await_resume() const noexcept {}
  };
  co_await Wait{this};
}

TaskGroup::~TaskGroup() {
  if (running_ != 0) std::abort();
}

}  // namespace shoal::io
