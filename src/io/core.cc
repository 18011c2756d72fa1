// The event loop of a core, on Asio's epoll reactor.
#include "io/core.h"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <cassert>

#include "io/asio.h"

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
  impl_->context.run();
  current_core = nullptr;
}

void Core::stop() { impl_->context.stop(); }

void Core::post(std::function<void()> fn) { boost::asio::post(impl_->context, std::move(fn)); }

void Core::spawn(Task<> task) { run_detached(std::move(task), &spawned_); }

void Core::resume_later(std::coroutine_handle<> h) {
  boost::asio::post(impl_->context, [h] { h.resume(); });
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

Thread::~Thread() { join(); }

void Thread::join() {
  if (!std::exchange(impl_->joined, true)) pthread_join(impl_->id, nullptr);
}

Task<> sleep_for(Milliseconds ms) {
  boost::asio::steady_timer timer(this_core().impl().context, ms);
  auto start = [&timer](auto handler) { timer.async_wait(std::move(handler)); };
  WaitFor<decltype(start)> wait{start};
  co_await wait;
}

struct Event::Waiter {
  std::coroutine_handle<> handle;
  std::optional<boost::asio::steady_timer> timer;
  std::list<Waiter*>* list = nullptr;
  std::list<Waiter*>::iterator place;
  bool woken = false;
  bool resumed = false;
  Deadline deadline;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) {
    handle = h;
    place = list->insert(list->end(), this);
    if (deadline.at == Clock::time_point::max()) return;
    timer.emplace(this_core().impl().context, deadline.at);
    // The handler may run after a wake already resumed us; `guard` tells it.
    timer->async_wait([this, alive = std::weak_ptr<int>(guard)](boost::system::error_code ec) {
      if (alive.expired() || ec || woken) return;
      list->erase(place);
      handle.resume();
    });
  }
  bool await_resume() const noexcept { return woken; }
  std::shared_ptr<int> guard = std::make_shared<int>(0);
};

Event::~Event() { assert(waiters_.empty()); }

void Event::set() {
  std::list<Waiter*> all = std::move(waiters_);
  waiters_.clear();
  for (Waiter* w : all) {
    w->woken = true;
    if (w->timer) w->timer->cancel();
    this_core().resume_later(w->handle);
  }
}

Task<bool> Event::wait(Deadline deadline) {
  Waiter w;
  w.list = &waiters_;
  w.deadline = deadline;
  co_return co_await w;
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
