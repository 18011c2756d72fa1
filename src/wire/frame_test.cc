// Claims about cutting streams into frames, and about start-up packets.
#include "wire/frame.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "wire/bytes.h"
#include "wire/frontend.h"

namespace shoal::wire {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int v : values) out.push_back(static_cast<char>(v));
  return out;
}

std::string show(const FrameStep& step) {
  if (const auto* frame = std::get_if<Frame>(&step)) {
    return fmt::format("{}[{}] of {}", frame->type, frame->body.size(), frame->bytes.size());
  }
  if (const auto* more = std::get_if<NeedMore>(&step)) return fmt::format("need {}", more->bytes);
  const Error e = std::get<BadFrame>(step).error();
  return fmt::format("{} {}", e.fatal ? "fatal" : "error", e.sqlstate);
}

struct FrameCase {
  const char* name;
  std::string buffer;
  const char* expected;
};

TEST(FrameTest, declared_lengths_are_judged_before_anything_is_allocated) {
  const FrameCase cases[] = {
      {"nothing", "", "need 5"},
      {"half a header", bytes({'Q', 0, 0, 0}), "need 5"},
      {"empty body", bytes({'S', 0, 0, 0, 4}), "S[0] of 5"},
      {"one byte is missing", bytes({'Q', 0, 0, 0, 6, 'x'}), "need 7"},
      {"just there", bytes({'Q', 0, 0, 0, 6, 'x', 0}), "Q[2] of 7"},
      {"another message behind", bytes({'Q', 0, 0, 0, 5, 0, 'S', 0, 0}), "Q[1] of 6"},
      {"length 0", bytes({'Q', 0, 0, 0, 0}), "fatal 08P01"},
      {"length 3", bytes({'Q', 0, 0, 0, 3, 0, 0}), "fatal 08P01"},
      {"length 2^31-1", bytes({'Q', 0x7f, 0xff, 0xff, 0xff}), "fatal 08P01"},
      {"length 2^31", bytes({'Q', 0x80, 0, 0, 0}), "fatal 08P01"},
      {"length 2^32-1", bytes({'Q', 0xff, 0xff, 0xff, 0xff}), "fatal 08P01"},
      {"the longest allowed", bytes({'Q', 0, 0, 0x03, 0xe7}), "need 1000"},
      {"one byte longer", bytes({'Q', 0, 0, 0x03, 0xe8}), "fatal 08P01"},
      {"a type that nobody knows", bytes({'~', 0, 0, 0, 4}), "~[0] of 5"},
  };
  for (const FrameCase& c : cases) {
    EXPECT_EQ(show(decode_frame(c.buffer, 1000)), c.expected) << c.name;
  }
}

TEST(FrameTest, a_reader_walks_over_all_whole_frames_and_stops_before_the_rest) {
  std::string stream;
  append_query(stream, "select 1");
  append_sync(stream);
  append_query(stream, "cut off");
  const std::size_t whole = 14 + 5;
  FrameReader reader(std::string_view(stream).substr(0, stream.size() - 1), 1000);
  EXPECT_EQ(show(reader.next()), "Q[9] of 14");
  EXPECT_EQ(show(reader.next()), "S[0] of 5");
  EXPECT_EQ(show(reader.next()), "need 13");
  EXPECT_EQ(reader.consumed(), whole);
  EXPECT_EQ(reader.rest().size(), stream.size() - 1 - whole);
}

TEST(FrameTest, a_partial_frame_gives_what_is_there_and_its_full_size) {
  std::string stream;
  append_copy_data(stream, std::string(100, 'x'));
  std::size_t size = 0;
  EXPECT_EQ(show(decode_partial_frame(std::string_view(stream).substr(0, 25), 1000, &size)),
            "d[20] of 25");
  EXPECT_EQ(size, 105u);
  EXPECT_EQ(show(decode_partial_frame(std::string_view(stream).substr(0, 4), 1000, &size)),
            "need 5");
  EXPECT_EQ(size, 0u);
}

// ---- start-up ---------------------------------------------------------------------------------

std::string packet(std::uint32_t length, std::uint32_t code, std::string_view body = {}) {
  std::string out;
  append_u32(out, length);
  append_u32(out, code);
  return out + std::string(body);
}

std::string show(const StartupStep& step) {
  if (const auto* more = std::get_if<NeedMore>(&step)) return fmt::format("need {}", more->bytes);
  if (const auto* bad = std::get_if<BadFrame>(&step)) return bad->error().sqlstate;
  const Startup& startup = std::get<Startup>(step);
  std::string out = fmt::format("{}: ", startup.size);
  if (std::holds_alternative<SslRequest>(startup.packet)) return out + "ssl";
  if (std::holds_alternative<GssEncRequest>(startup.packet)) return out + "gss";
  if (const auto* cancel = std::get_if<CancelRequest>(&startup.packet)) {
    return out + fmt::format("cancel {} {}", cancel->pid, cancel->secret.size());
  }
  const auto& message = std::get<StartupMessage>(startup.packet);
  out += fmt::format("{}.{}", message.major, message.minor);
  for (const auto& [name, value] : message.params) out += fmt::format(" {}={}", name, value);
  return out;
}

constexpr std::uint32_t kV3 = 3u << 16;
constexpr std::uint32_t kSsl = 1234u << 16 | 5679, kGss = 1234u << 16 | 5680,
                        kCancel = 1234u << 16 | 5678;

TEST(StartupTest, packets_are_recognised_and_bounded) {
  using namespace std::string_view_literals;
  struct Case {
    const char* name;
    std::string buffer;
    const char* expected;
  };
  const Case cases[] = {
      {"nothing", "", "need 4"},
      {"length only", packet(8, kSsl).substr(0, 4), "need 8"},
      {"length 0", packet(0, kV3), "08P01"},
      {"length 7", packet(7, kV3), "08P01"},
      {"too long", packet(10'005, kV3), "08P01"},
      {"the longest", packet(10'004, kV3), "need 10004"},
      {"2^32-1", packet(0xffffffff, kV3), "08P01"},
      {"ssl", packet(8, kSsl), "8: ssl"},
      {"ssl with bytes inside", packet(9, kSsl, "x"), "08P01"},
      {"bytes behind ssl stay", packet(8, kSsl, "sneaked in"), "8: ssl"},
      {"gss", packet(8, kGss), "8: gss"},
      {"cancel", packet(16, kCancel, "\0\0\0\x07key!"sv), "16: cancel 7 4"},
      {"cancel with a long secret", packet(44, kCancel, std::string(36, 'x')),
       "44: cancel 2021161080 32"},
      {"cancel without a secret", packet(12, kCancel, "\0\0\0\x07"sv), "08P01"},
      {"no parameters", packet(9, kV3, "\0"sv), "9: 3.0"},
      {"no terminator", packet(8, kV3), "08P01"},
      {"parameters in order", packet(31, kV3, "user\0ada\0database\0app\0\0"sv),
       "31: 3.0 user=ada database=app"},
      {"a name without a value", packet(14, kV3, "user\0\0"sv), "08P01"},
      {"an empty value", packet(15, kV3, "user\0\0\0"sv), "15: 3.0 user="},
      {"bytes behind the terminator", packet(11, kV3, "\0x\0"sv), "08P01"},
      {"protocol 2", packet(12, 2u << 16, "abcd"), "12: 2.0"},
      {"protocol 3.2", packet(9, kV3 | 2, "\0"sv), "9: 3.2"},
      {"unknown special code", packet(8, 1234u << 16 | 1), "8: 1234.1"},
  };
  for (const Case& c : cases) EXPECT_EQ(show(decode_startup(c.buffer)), c.expected) << c.name;
}

TEST(StartupTest, the_last_of_two_values_wins) {
  using namespace std::string_view_literals;
  const std::string raw = packet(8 + 23, kV3, "user\0a\0user\0b\0x\0y\0zz\0\0\0"sv);
  const StartupStep step = decode_startup(raw);
  const auto& message = std::get<StartupMessage>(std::get<Startup>(step).packet);
  EXPECT_EQ(message.get("user"), "b");
  EXPECT_EQ(message.get("zz", "other"), "");
  EXPECT_EQ(message.get("database", "other"), "other");
}

TEST(StartupTest, what_the_encoder_writes_is_read_back) {
  std::string out;
  const std::pair<std::string_view, std::string_view> params[] = {{"user", "a"},
                                                                  {"options", "-c x"}};
  append_startup(out, params);
  EXPECT_EQ(show(decode_startup(out)), "29: 3.0 user=a options=-c x");
  out.clear();
  append_cancel(out, -2, "abcd");
  EXPECT_EQ(show(decode_startup(out)), "16: cancel -2 4");
  out.clear();
  append_ssl_request(out);
  EXPECT_EQ(show(decode_startup(out)), "8: ssl");
}

}  // namespace
}  // namespace shoal::wire
