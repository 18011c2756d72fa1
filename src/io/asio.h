// The only place that names Asio: included by this room's .cc files alone.
#pragma once
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "io/core.h"

namespace shoal::io {

struct Core::Impl {
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
      context.get_executor()};
};

// Awaits one Asio operation: `start(handler)` begins it, handler(args...) ends it.
template <class Start>
struct WaitFor {
  Start start;
  boost::system::error_code error;
  std::size_t bytes = 0;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) {
    start([this, h](boost::system::error_code ec, std::size_t n = 0) {
      error = ec;
      bytes = n;
      h.resume();
    });
  }
  void await_resume() const noexcept {}
};

}  // namespace shoal::io
