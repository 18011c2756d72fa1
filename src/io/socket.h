// Pieces that plain and TLS streams share. For this room's .cc files only.
#pragma once
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>

#include "io/asio.h"
#include "io/stream.h"

namespace shoal::io {

using Socket = boost::asio::generic::stream_protocol::socket;

Error io_error(const boost::system::error_code& ec);
std::string peer_name(const Socket& socket);
Socket take_socket(Stream& plain);  // of a stream made by connect() or adopt()

// Cancels the socket's operations at the deadline; costs nothing when there is none.
class Watchdog {
 public:
  Watchdog(Socket& socket, Deadline deadline) {
    if (deadline.at == Clock::time_point::max()) return;
    fired_ = std::make_shared<bool>(false);
    timer_.emplace(socket.get_executor(), deadline.at);
    timer_->async_wait(
        [&socket, fired = std::weak_ptr<bool>(fired_)](boost::system::error_code ec) {
          auto alive = fired.lock();
          if (ec || !alive) return;
          *alive = true;
          boost::system::error_code ignored;
          socket.cancel(ignored);
        });
  }
  Error error(const boost::system::error_code& ec) const {
    if (fired_ && *fired_) return make_error("57014", "timed out");
    return io_error(ec);
  }

 private:
  std::shared_ptr<bool> fired_;
  std::optional<boost::asio::steady_timer> timer_;
};

}  // namespace shoal::io
