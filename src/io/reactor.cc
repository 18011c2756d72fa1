// The loop: resumed tasks first, then what the kernel tells, timers, and work from other threads.
#include "io/reactor.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace shoal::io {

Mailbox::Mailbox() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) std::abort();
}
Mailbox::~Mailbox() {
  ::close(fd_);
}

void Mailbox::put(std::function<void()> work) {
  {
    std::lock_guard guard(mutex_);
    work_.push_back(std::move(work));
    if (std::exchange(signalled_, true)) return;
  }
  wake();
}

void Mailbox::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] ssize_t n = ::write(fd_, &one, sizeof one);
}

std::vector<std::function<void()>> Mailbox::take() {
  std::uint64_t count;
  [[maybe_unused]] ssize_t n = ::read(fd_, &count, sizeof count);
  std::lock_guard guard(mutex_);
  signalled_ = false;
  return std::exchange(work_, {});
}

Core::Impl::Impl() : epoll(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll < 0) std::abort();
  watch(mailbox->fd(), EPOLLIN, nullptr);
}
Core::Impl::~Impl() {
  ::close(epoll);
}

void Core::Impl::watch(int fd, std::uint32_t events, Watched* watched) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = watched;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) std::abort();
}

void Core::Impl::change(int fd, std::uint32_t events, Watched* watched) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = watched;
  ::epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

void Core::Impl::forget(Watched* watched) {
  for (int i = at_; i < fetched_; ++i)
    if (batch_[i].data.ptr == watched) batch_[i].events = 0;
}

int Core::Impl::timeout_ms() const {
  if (!ready.empty()) return 0;
  if (timers.empty()) return -1;
  const auto left = std::chrono::ceil<Milliseconds>(timers.begin()->first - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

void Core::Impl::run_ready() {
  // Only those of now: who resumes himself for ever must not starve the sockets.
  for (std::size_t n = ready.size(); n > 0 && !stopped; --n) {
    std::coroutine_handle<> h = ready.front();
    ready.pop_front();
    h.resume();
  }
}

void Core::Impl::run_timers() {
  if (timers.empty()) return;
  const Clock::time_point now = Clock::now();
  while (!timers.empty() && timers.begin()->first <= now && !stopped) {
    auto due = timers.extract(timers.begin());
    due.mapped()();
  }
}

void Core::Impl::run() {
  while (!stopped) {
    run_ready();
    fetched_ = ::epoll_wait(epoll, batch_, kBatch, timeout_ms());
    bool mail = false;
    for (at_ = 0; at_ < fetched_ && !stopped;) {
      const epoll_event& event = batch_[at_++];
      if (!event.events) continue;
      if (auto* watched = static_cast<Watched*>(event.data.ptr))
        watched->on_events(event.events);
      else
        mail = true;
    }
    fetched_ = 0;
    run_timers();
    if (!mail) continue;
    for (auto& work : mailbox->take()) {
      if (stopped) return;
      work();
    }
  }
}

namespace {

constexpr std::uint32_t kRead = EPOLLIN | EPOLLRDHUP | EPOLLET;

}  // namespace

Descriptor::Descriptor(int fd) : loop_(this_core().impl()), fd_(fd) {
  loop_.watch(fd_, kRead, this);
}

void Descriptor::close() {
  if (fd_ < 0) return;
  loop_.forget(this);
  ::close(std::exchange(fd_, -1));
  for (Wait* wait : {std::exchange(reader_, nullptr), std::exchange(writer_, nullptr)}) {
    if (!wait) continue;
    wait->end(Wait::Outcome::kClosed);
    loop_.ready.push_back(wait->handle_);
  }
}

int Descriptor::release() {
  loop_.forget(this);
  ::epoll_ctl(loop_.epoll, EPOLL_CTL_DEL, fd_, nullptr);
  return std::exchange(fd_, -1);
}

// Resuming may destroy the descriptor: the last thing that is done with it.
void Descriptor::on_events(std::uint32_t events) {
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) ended_ = true;
  if (events & ~static_cast<std::uint32_t>(EPOLLOUT)) readable_ = true;
  Wait* reader = readable_ ? std::exchange(reader_, nullptr) : nullptr;
  Wait* writer =
      events & (EPOLLOUT | EPOLLHUP | EPOLLERR) ? std::exchange(writer_, nullptr) : nullptr;
  if (writer) {
    loop_.change(fd_, kRead, this);
    writer->end(Wait::Outcome::kReady);
  }
  if (reader) reader->end(Wait::Outcome::kReady);
  if (writer && reader) loop_.ready.push_back(reader->handle_);
  if (writer)
    writer->handle_.resume();
  else if (reader)
    reader->handle_.resume();
}

bool Descriptor::Wait::await_ready() const noexcept {
  return descriptor_->fd_ >= 0 && !write_ && descriptor_->readable_;
}

void Descriptor::Wait::await_suspend(std::coroutine_handle<> h) {
  handle_ = h;
  if (descriptor_->fd_ < 0) {
    outcome_ = Outcome::kClosed;
    descriptor_->loop_.ready.push_back(h);
    return;
  }
  if (write_) {
    descriptor_->writer_ = this;
    descriptor_->loop_.change(descriptor_->fd_, kRead | EPOLLOUT, descriptor_);
  } else {
    descriptor_->reader_ = this;
  }
  if (deadline_.at == Clock::time_point::max()) return;
  timed_ = true;
  timer_ = descriptor_->loop_.at(deadline_.at, [this] {
    timed_ = false;
    outcome_ = Outcome::kLate;
    if (write_)
      descriptor_->writer_ = nullptr;
    else
      descriptor_->reader_ = nullptr;
    handle_.resume();
  });
}

void Descriptor::Wait::end(Outcome outcome) {
  outcome_ = outcome;
  if (std::exchange(timed_, false)) descriptor_->loop_.timers.erase(timer_);
}

Result<> Descriptor::Wait::await_resume() {
  if (outcome_ == Outcome::kReady) return {};
  if (outcome_ == Outcome::kLate) return make_error("57014", "timed out");
  return system_error(ECANCELED);
}

}  // namespace shoal::io
