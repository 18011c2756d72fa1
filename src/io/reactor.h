// A core's event loop on epoll(7), edge-triggered: a descriptor is registered once, and what is
// known of it is remembered, so that waiting costs no system call of its own. For this room's .cc
// files only.
// Thread rule: the core's own thread, except Mailbox.
#pragma once
#include <sys/epoll.h>

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "io/core.h"
#include "io/stream.h"

namespace shoal::io {

// What epoll tells of. Lives at one address until forget().
class Watched {
 public:
  virtual ~Watched() = default;
  virtual void on_events(std::uint32_t events) = 0;
};

// Work for the core from any thread; outlives the core where a thread still holds it.
class Mailbox {
 public:
  Mailbox();
  ~Mailbox();
  void put(std::function<void()> work);
  void wake();
  std::vector<std::function<void()>> take();
  int fd() const { return fd_; }

 private:
  int fd_;
  std::mutex mutex_;
  bool signalled_ = false;
  std::vector<std::function<void()>> work_;
};

struct Core::Impl {
  Impl();
  ~Impl();

  using Timers = std::multimap<Clock::time_point, std::function<void()>>;

  void watch(int fd, std::uint32_t events, Watched* watched);
  void change(int fd, std::uint32_t events, Watched* watched);
  // Events of `watched` that were fetched already are dropped; closing the descriptor is the
  // caller's.
  void forget(Watched* watched);
  Timers::iterator at(Clock::time_point when, std::function<void()> fn) {
    return timers.emplace(when, std::move(fn));
  }
  void run();

  int epoll;
  std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
  std::atomic<bool> stopped = false;
  std::deque<std::coroutine_handle<>> ready;
  Timers timers;

 private:
  int timeout_ms() const;
  void run_ready();
  void run_timers();
  static constexpr int kBatch = 128;
  epoll_event batch_[kBatch];
  int at_ = 0, fetched_ = 0;
};

// A non-blocking descriptor and who waits for it: at most one reader and one writer. Owns it.
class Descriptor final : public Watched {
 public:
  // One wait in a coroutine's frame. Its end touches nothing but itself: the descriptor may be
  // gone.
  class Wait {
   public:
    Wait(Descriptor& descriptor, bool write, Deadline deadline)
        : descriptor_(&descriptor), deadline_(deadline), write_(write) {}
    Wait(const Wait&) = delete;
    bool await_ready() const noexcept;
    void await_suspend(std::coroutine_handle<> h);
    // 57014 at the deadline, 08006 when the descriptor was closed.
    Result<> await_resume();

   private:
    friend class Descriptor;
    enum class Outcome { kReady, kLate, kClosed };
    void end(Outcome outcome);
    Descriptor* descriptor_;
    Deadline deadline_;
    std::coroutine_handle<> handle_;
    Core::Impl::Timers::iterator timer_;
    bool write_, timed_ = false;
    Outcome outcome_ = Outcome::kReady;
  };

  explicit Descriptor(int fd);  // non-blocking already
  ~Descriptor() override { close(); }
  Descriptor(const Descriptor&) = delete;

  int fd() const { return fd_; }
  Wait readable(Deadline deadline) { return {*this, false, deadline}; }
  Wait writable(Deadline deadline) { return {*this, true, deadline}; }
  // The reader found less than it asked for: the next data makes an event.
  void drained() { readable_ = ended_; }
  void close();   // wakes who waits
  int release();  // gives the descriptor up; nobody may wait
  void on_events(std::uint32_t events) override;

 private:
  Core::Impl& loop_;
  int fd_;
  bool readable_ = true;
  bool ended_ = false;  // the peer will send no more, or an error is to be fetched
  Wait* reader_ = nullptr;
  Wait* writer_ = nullptr;
};

Error system_error(int number);  // 08006 with the system's text
std::string peer_name(int fd);   // "127.0.0.1:54321", "[::1]:54321" or "unix"
// Of a stream made by connect() or adopt().
std::unique_ptr<Descriptor> take_descriptor(Stream& plain);

}  // namespace shoal::io
