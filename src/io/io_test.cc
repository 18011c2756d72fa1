// The loop and plain streams over socket pairs: what is easy to lose with edges.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "io/core.h"
#include "io/stream.h"

namespace shoal::io {
namespace {

// Runs one task on a core of its own until it ends.
void run(Task<> (*body)()) {
  Thread([body] {
    Core core(0);
    auto main = [](Core* c, Task<> (*what)()) -> Task<> {
      co_await what();
      c->stop();
    };
    core.post([&] { core.spawn(main(&core, body)); });
    core.run();
  }).join();
}

struct Pair {
  StreamPtr ours;
  int theirs;
  Pair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    ours = adopt(fds[0]);
    theirs = fds[1];
  }
  ~Pair() {
    if (theirs >= 0) ::close(theirs);
  }
  void say(std::string_view text) {
    EXPECT_EQ(::write(theirs, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void hang_up() { ::close(std::exchange(theirs, -1)); }
};

Task<Result<std::string>> read(Stream& stream, Deadline deadline = {}) {
  char buffer[64];
  Result<std::size_t> n = co_await stream.read_some(buffer, sizeof buffer, deadline);
  if (!n) co_return n.error();
  co_return std::string(buffer, *n);
}

Task<> set_later(Event* event, int* order, int mine) {
  co_await sleep_for(Milliseconds(mine));
  *order = *order * 10 + mine;
  event->set();
}

TEST(Io, ReadsWhatComesBeforeAndAfterTheWait) {
  run(+[]() -> Task<> {
    Pair pair;
    pair.say("one");
    EXPECT_EQ(*co_await read(*pair.ours), "one");
    auto later = [](int fd) -> Task<> {
      co_await sleep_for(Milliseconds(5));
      EXPECT_EQ(::write(fd, "two", 3), 3);
    };
    this_core().spawn(later(pair.theirs));
    EXPECT_EQ(*co_await read(*pair.ours), "two");
  });
}

TEST(Io, TheEndBehindDataIsSeen) {
  run(+[]() -> Task<> {
    Pair pair;
    pair.say("last words");
    pair.hang_up();
    // Data and end came in one event: the short read must not wait for another.
    co_await sleep_for(Milliseconds(2));
    EXPECT_EQ(*co_await read(*pair.ours), "last words");
    EXPECT_EQ(*co_await read(*pair.ours), "");
  });
}

TEST(Io, TheEndWakesAReader) {
  run(+[]() -> Task<> {
    Pair pair;
    auto later = [](Pair* p) -> Task<> {
      co_await sleep_for(Milliseconds(5));
      p->hang_up();
    };
    this_core().spawn(later(&pair));
    EXPECT_EQ(*co_await read(*pair.ours), "");
  });
}

TEST(Io, ALongWriteGoesOnWhenThereIsRoom) {
  run(+[]() -> Task<> {
    Pair pair;
    const std::string data(8u << 20, 'x');
    std::size_t got = 0;
    std::thread reader([&] {
      std::string piece(100'000, ' ');
      while (got < data.size()) {
        ssize_t n = ::read(pair.theirs, piece.data(), piece.size());
        if (n > 0) got += static_cast<std::size_t>(n);
      }
    });
    Result<> written = co_await pair.ours->write(data, {});
    EXPECT_TRUE(written);
    reader.join();
    EXPECT_EQ(got, data.size());
  });
}

TEST(Io, AReadEndsAtItsDeadlineAndTheStreamGoesOn) {
  run(+[]() -> Task<> {
    Pair pair;
    Result<std::string> nothing = co_await read(*pair.ours, Deadline::in(Milliseconds(5)));
    EXPECT_EQ(nothing.error().sqlstate, "57014");
    pair.say("late");
    EXPECT_EQ(*co_await read(*pair.ours), "late");
  });
}

TEST(Io, CloseWakesReaderAndWriter) {
  run(+[]() -> Task<> {
    Pair pair;
    int errors = 0;
    auto reader = [](Stream* s, int* count) -> Task<> {
      Result<std::string> got = co_await read(*s);
      *count += got.has_error();
    };
    auto writer = [](Stream* s, int* count) -> Task<> {
      const std::string data(8u << 20, 'x');
      Result<> done = co_await s->write(data, {});
      *count += done.has_error();
    };
    TaskGroup group;
    group.start(reader(pair.ours.get(), &errors));
    group.start(writer(pair.ours.get(), &errors));
    co_await sleep_for(Milliseconds(2));
    pair.ours->close();
    pair.ours->close();
    co_await group.join();
    EXPECT_EQ(errors, 2);
  });
}

TEST(Io, AStreamMayBeDestroyedUnderItsWriter) {
  run(+[]() -> Task<> {
    auto pair = std::make_unique<Pair>();
    bool failed = false;
    auto writer = [](Stream* s, bool* bad) -> Task<> {
      const std::string data(8u << 20, 'x');
      Result<> done = co_await s->write(data, {});
      *bad = done.has_error();
    };
    TaskGroup group;
    group.start(writer(pair->ours.get(), &failed));
    pair->ours.reset();
    co_await group.join();
    EXPECT_TRUE(failed);
  });
}

TEST(Io, ASocketGoesToAnotherOwner) {
  run(+[]() -> Task<> {
    Pair pair;
    pair.say("a");
    EXPECT_EQ(*co_await read(*pair.ours), "a");
    int fd = pair.ours->release_socket();
    pair.ours.reset();
    pair.say("b");
    StreamPtr again = adopt(fd);
    EXPECT_EQ(*co_await read(*again), "b");
  });
}

TEST(Io, EventsWakeInOrderAndTimersToo) {
  run(+[]() -> Task<> {
    Event event;
    int order = 0;
    this_core().spawn(set_later(&event, &order, 9));
    this_core().spawn(set_later(&event, &order, 3));
    EXPECT_FALSE(co_await event.wait(Deadline::in(Milliseconds(1))));
    EXPECT_TRUE(co_await event.wait({}));
    EXPECT_EQ(order, 3);
    EXPECT_TRUE(co_await event.wait(Deadline::in(Milliseconds(1000))));
    EXPECT_EQ(order, 39);
  });
}

TEST(Io, PostsOfManyThreadsAllRun) {
  constexpr int kThreads = 4, kPosts = 5000;
  Core core(0);
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < kPosts; ++i)
        core.post([&] {
          if (++count == kThreads * kPosts) core.stop();
        });
    });
  core.run();
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(count, kThreads * kPosts);
}

TEST(Io, ListensAndConnects) {
  run(+[]() -> Task<> {
    StreamPtr server;
    Event accepted;
    auto listener = listen(this_core(), "127.0.0.1", 0, [&](int fd) {
      server = adopt(fd);
      accepted.set();
    });
    EXPECT_TRUE(listener);
    const std::uint16_t port = (*listener)->port();
    // By name: the look-up happens on another thread.
    Result<StreamPtr> client = co_await connect("localhost", std::to_string(port), {});
    EXPECT_TRUE(client) << (client ? "" : client.error().message);
    if (!server) co_await accepted.wait({});
    EXPECT_TRUE(co_await (*client)->write("hello", {}));
    EXPECT_EQ(*co_await read(*server), "hello");
    EXPECT_EQ(server->peer().substr(0, 10), "127.0.0.1:");
    (*listener)->close();
    Result<StreamPtr> refused = co_await connect("127.0.0.1", std::to_string(port), {});
    EXPECT_EQ(refused.error().sqlstate, "08001");
  });
}

}  // namespace
}  // namespace shoal::io
