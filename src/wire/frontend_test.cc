// Claims about the client's messages: each is read back as written, no cut or stretched body is
// accepted, and renaming changes the name only.
#include "wire/frontend.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace shoal::wire {
namespace {

std::string show(const ValueList& values) {
  std::string out;
  for (const Value value : values) out += value ? fmt::format(" '{}'", *value) : " NULL";
  return out;
}

std::string show(const FormatList& formats) {
  std::string out;
  for (std::size_t i = 0; i < formats.size(); ++i) out += fmt::format(" {}", formats[i]);
  return out;
}

struct Printer {
  std::string operator()(const Query& m) { return fmt::format("Query {}", m.sql); }
  std::string operator()(const Parse& m) {
    std::string out = fmt::format("Parse '{}' {}", m.name, m.sql);
    for (const std::uint32_t type : m.types.to_vector()) out += fmt::format(" {}", type);
    return out;
  }
  std::string operator()(const Bind& m) {
    return fmt::format("Bind '{}' '{}' formats{} values{} results{}", m.portal, m.statement,
                       show(m.parameter_formats), show(m.values), show(m.result_formats));
  }
  std::string operator()(const Describe& m) {
    return fmt::format("Describe {} '{}'", static_cast<char>(m.target), m.name);
  }
  std::string operator()(const Close& m) {
    return fmt::format("Close {} '{}'", static_cast<char>(m.target), m.name);
  }
  std::string operator()(const Execute& m) {
    return fmt::format("Execute '{}' {}", m.portal, m.max_rows);
  }
  std::string operator()(const Flush&) { return "Flush"; }
  std::string operator()(const Sync&) { return "Sync"; }
  std::string operator()(const CopyData& m) { return fmt::format("CopyData {}", m.data); }
  std::string operator()(const CopyDone&) { return "CopyDone"; }
  std::string operator()(const CopyFail& m) { return fmt::format("CopyFail {}", m.reason); }
  std::string operator()(const FunctionCall& m) {
    return fmt::format("FunctionCall {} formats{} arguments{} result {}", m.function,
                       show(m.argument_formats), show(m.arguments), m.result_format);
  }
  std::string operator()(const Terminate&) { return "Terminate"; }
  std::string operator()(const AuthResponse& m) { return fmt::format("Auth {}", m.body.size()); }
};

Frame frame_of(std::string_view bytes) {
  return std::get<Frame>(decode_frame(bytes, 1 << 20));
}

std::string decode(std::string_view bytes) {
  const auto message = decode_frontend(frame_of(bytes));
  if (!message) {
    return fmt::format("{}{}", message.error().fatal ? "fatal " : "", message.error().sqlstate);
  }
  return std::visit(Printer{}, *message);
}

struct Case {
  const char* name;
  std::function<void(std::string&)> write;
  const char* expected;
};

std::string function_call() {
  std::string out;
  const MessageWriter message(out, 'F');
  append_u32(out, 1299);
  append_u16(out, 1);
  append_u16(out, 1);
  append_u16(out, 2);
  const Value values[] = {"ab", std::nullopt};
  append_values(out, values);
  append_u16(out, 1);
  return out;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"query", [](auto& o) { append_query(o, "select 1; select 2"); }, "Query select 1; select 2"},
      {"empty query", [](auto& o) { append_query(o, ""); }, "Query "},
      {"parse",
       [](auto& o) {
         append_parse(o, "s1", "select $1", std::array{23u, 0u});
       },
       "Parse 's1' select $1 23 0"},
      {"parse without types", [](auto& o) { append_parse(o, "", "select 1"); },
       "Parse '' select 1"},
      {"bind",
       [](auto& o) {
         const Value values[] = {"1", std::nullopt, ""};
         append_bind(o, "p", "s", std::array{Format::kText, Format::kBinary, Format::kText}, values,
                     std::array{Format::kBinary});
       },
       "Bind 'p' 's' formats 0 1 0 values '1' NULL '' results 1"},
      {"bind of nothing", [](auto& o) { append_bind(o, "", "", {}, {}, {}); },
       "Bind '' '' formats values results"},
      {"describe", [](auto& o) { append_describe(o, Target::kPortal, "p"); }, "Describe P 'p'"},
      {"close", [](auto& o) { append_close(o, Target::kStatement, "s"); }, "Close S 's'"},
      {"execute", [](auto& o) { append_execute(o, "p", -1); }, "Execute 'p' -1"},
      {"flush", [](auto& o) { append_flush(o); }, "Flush"},
      {"sync", [](auto& o) { append_sync(o); }, "Sync"},
      {"copy fail", [](auto& o) { append_copy_fail(o, "no"); }, "CopyFail no"},
      {"copy done", [](auto& o) { append_copy_done(o); }, "CopyDone"},
  };
  return all;
}

TEST(FrontendTest, what_is_written_is_read_back) {
  for (const Case& c : cases()) {
    std::string bytes;
    c.write(bytes);
    EXPECT_EQ(decode(bytes), c.expected) << c.name;
  }
  std::string bytes;
  append_copy_data(bytes, "1\t2\n");
  EXPECT_EQ(decode(bytes), "CopyData 1\t2\n");
  bytes.clear();
  append_terminate(bytes);
  EXPECT_EQ(decode(bytes), "Terminate");
  bytes.clear();
  append_password(bytes, "secret");
  EXPECT_EQ(decode(bytes), "Auth 7");
}

TEST(FrontendTest, a_body_cut_anywhere_or_one_byte_too_long_is_08P01) {
  std::vector<std::string> all;
  for (const Case& c : cases()) c.write(all.emplace_back());
  all.push_back(function_call());
  for (const std::string& bytes : all) {
    const Frame whole = frame_of(bytes);
    for (std::size_t length = 0; length < whole.body.size(); ++length) {
      const Frame cut{whole.type, whole.body.substr(0, length), {}};
      const auto message = decode_frontend(cut);
      ASSERT_FALSE(message.has_value()) << whole.type << length;
      EXPECT_EQ(message.error().sqlstate, "08P01");
      EXPECT_FALSE(message.error().fatal) << "the stream itself is still in step";
    }
    const std::string longer = std::string(whole.body) + 'x';
    EXPECT_FALSE(decode_frontend(Frame{whole.type, longer, {}}).has_value()) << whole.type;
  }
}

TEST(FrontendTest, function_calls_are_read) {
  EXPECT_EQ(decode(function_call()), "FunctionCall 1299 formats 1 arguments 'ab' NULL result 1");
}

TEST(FrontendTest, nonsense_inside_messages_is_refused) {
  using namespace std::string_view_literals;
  const std::pair<Frame, const char*> bad[] = {
      {Frame{'D', "X\0"sv, {}}, "invalid DESCRIBE message subtype 88"},
      {Frame{'C', "\0\0"sv, {}}, "invalid CLOSE message subtype 0"},
      // Two formats for three values.
      {Frame{'B', "\0\0\0\2\0\0\0\1\0\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0"sv, {}},
       "bind message has 2 parameter formats but 3 parameters"},
      // A value of length -2.
      {Frame{'B', "\0\0\0\0\0\1\xff\xff\xff\xfe\0\0"sv, {}}, "insufficient data left in message"},
      // A value longer than the message: nothing may be allocated for it.
      {Frame{'B', "\0\0\0\0\0\1\x7f\xff\xff\xff\0\0"sv, {}}, "insufficient data left in message"},
      {Frame{'B', "\0\0\0\0\xff\xff\0\0"sv, {}}, "insufficient data left in message"},
      {Frame{'P', "\0\0\xff\xff"sv, {}}, "insufficient data left in message"},
      {Frame{'P', "\0select 1"sv, {}}, "invalid string in message"},
      {Frame{'Q', "select 1"sv, {}}, "invalid string in message"},
      {Frame{'Q', "select 1\0x"sv, {}}, "invalid message format"},
      {Frame{'S', "x"sv, {}}, "invalid message format"},
  };
  for (const auto& [frame, message] : bad) {
    const auto decoded = decode_frontend(frame);
    ASSERT_FALSE(decoded.has_value()) << message;
    EXPECT_EQ(decoded.error().message, message);
    EXPECT_EQ(decoded.error().sqlstate, "08P01");
  }
  EXPECT_EQ(decode_frontend(Frame{'~', "", {}}).error().fatal, true);
}

TEST(FrontendTest, one_format_holds_for_all_values) {
  const Format binary[] = {Format::kBinary};
  const Format mixed[] = {Format::kText, Format::kBinary};
  const Value values[] = {"a", "b"};
  std::string bytes;
  append_bind(bytes, "", "", binary, values, mixed);
  const Bind bind = *decode_bind(frame_of(bytes).body);
  EXPECT_EQ(bind.parameter_formats.of(1), Format::kBinary);
  EXPECT_EQ(bind.result_formats.of(0), Format::kText);
  EXPECT_EQ(bind.result_formats.of(1), Format::kBinary);
  EXPECT_EQ(FormatList().of(5), Format::kText);
  EXPECT_EQ(bind.values.at(1), "b");
  EXPECT_EQ(bind.values.at(2), std::nullopt);
}

TEST(FrontendTest, sasl_messages_are_read_back) {
  std::string bytes;
  append_sasl_initial(bytes, "SCRAM-SHA-256", "n,,n=,r=x");
  const auto initial = *decode_sasl_initial(frame_of(bytes).body);
  EXPECT_EQ(initial.mechanism, "SCRAM-SHA-256");
  EXPECT_EQ(initial.response, "n,,n=,r=x");
  using namespace std::string_view_literals;
  EXPECT_EQ(decode_sasl_initial("M\0\xff\xff\xff\xff"sv)->response, std::nullopt);
  EXPECT_FALSE(decode_sasl_initial("M\0\xff\xff\xff\xfe"sv).has_value());
  EXPECT_FALSE(decode_sasl_initial("M\0\0\0\0\1"sv).has_value());
  bytes.clear();
  append_sasl_response(bytes, "c=biws");
  EXPECT_EQ(decode_sasl_response(frame_of(bytes).body), "c=biws");
  EXPECT_EQ(*decode_password("secret\0"sv), "secret");
  EXPECT_FALSE(decode_password("secret"sv).has_value());
}

TEST(FrontendTest, renaming_changes_the_name_and_nothing_else) {
  const Value values[] = {"1", std::nullopt};
  const Format binary[] = {Format::kBinary};
  struct Rename {
    std::function<void(std::string&, std::string_view)> write;
    std::function<void(std::string&, const Frame&)> rename;
  };
  const Rename renames[] = {
      {[](auto& o, auto name) { append_parse(o, name, "select $1", std::array{23u}); },
       [](auto& o, auto& f) { append_parse_renamed(o, f, "new"); }},
      {[&](auto& o, auto name) { append_bind(o, "portal", name, binary, values, binary); },
       [](auto& o, auto& f) { append_bind_renamed(o, f, "new"); }},
      {[&](auto& o, auto name) { append_bind(o, name, "st", binary, values, binary); },
       [](auto& o, auto& f) { append_bind_renamed(o, f, "st", "new"); }},
      {[](auto& o, auto name) { append_describe(o, Target::kStatement, name); },
       [](auto& o, auto& f) { append_describe_renamed(o, f, "new"); }},
      {[](auto& o, auto name) { append_close(o, Target::kPortal, name); },
       [](auto& o, auto& f) { append_close_renamed(o, f, "new"); }},
      {[](auto& o, auto name) { append_execute(o, name, 7); },
       [](auto& o, auto& f) { append_execute_renamed(o, f, "new"); }},
  };
  for (const Rename& r : renames) {
    for (const std::string_view old : {"", "x", "a much longer name than the new one"}) {
      std::string before, expected = "kept", out = "kept";
      r.write(before, old);
      r.write(expected, "new");
      r.rename(out, frame_of(before));
      EXPECT_EQ(out, expected) << before[0] << old;
    }
  }
}

TEST(FrontendTest, a_nul_inside_a_name_cannot_smuggle_a_second_string) {
  std::string bytes;
  append_parse(bytes, std::string_view("a\0b", 3), "select 1");
  EXPECT_EQ(decode(bytes), "Parse 'a' select 1");
}

}  // namespace
}  // namespace shoal::wire
