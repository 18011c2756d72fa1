// Conversations of a client and a server whose oids differ, message by message.
#include "backend/oid_translator.h"

#include <gtest/gtest.h>

#include "wire/backend.h"
#include "wire/bytes.h"
#include "wire/frontend.h"

namespace shoal::backend {
namespace {

using wire::Format;
using wire::Target;
constexpr std::uint32_t kPoint = 20003, kUp = 10000;

std::shared_ptr<const wire::OidMap> example() {
  auto map = std::make_shared<wire::OidMap>();
  map->to_home.add_type(kPoint, {kPoint + kUp, wire::OidShape::kRecord, 0});
  map->to_shard.add_type(kPoint + kUp, {kPoint, wire::OidShape::kRecord, 0});
  return map;
}

// A composite of one field, whose type is the composite's own.
std::string point(std::uint32_t up) {
  std::string out;
  wire::append_u32(out, 1);
  wire::append_u32(out, kPoint + up);
  wire::append_u32(out, UINT32_MAX);
  return out;
}

// The types of messages, and names of what Describe asks for.
std::string show(std::string_view text) {
  std::string out;
  wire::FrameReader reader(text, 1u << 20);
  for (wire::FrameStep step = reader.next(); std::holds_alternative<wire::Frame>(step);
       step = reader.next()) {
    const auto& frame = std::get<wire::Frame>(step);
    out += frame.type;
    if (frame.type == 'D') out += frame.body.substr(0, frame.body.size() - 1);
    out += ' ';
  }
  return out;
}

class Conversation {
 public:
  void parse(std::string_view name, std::vector<std::uint32_t> types = {}) {
    wire::append_parse(out_, name, "SELECT", types);
    pending_.sent('P');
  }
  void bind(std::string_view portal, std::string_view name, Format result,
            std::optional<std::string> binary_parameter = std::nullopt) {
    const Format formats[] = {Format::kBinary};
    std::vector<wire::Value> values;
    if (binary_parameter) values.emplace_back(*binary_parameter);
    const Format results[] = {result};
    wire::append_bind(out_, portal, name, std::span(formats, values.size()), values, results);
    pending_.sent('B');
  }
  void describe(Target target, std::string_view name) {
    wire::append_describe(out_, target, name);
    pending_.sent_describe(target);
  }
  void execute(std::string_view portal) {
    wire::append_execute(out_, portal);
    pending_.sent('E');
  }
  void sync() {
    wire::append_sync(out_);
    pending_.sent('S');
  }
  // What leaves now.
  std::string send() {
    EXPECT_TRUE(translator_.outgoing(out_, pending_));
    return std::exchange(out_, {});
  }
  std::string release() {
    std::string out;
    EXPECT_TRUE(translator_.release(out, {}, pending_));
    return out;
  }
  // A message of the server as its reader gets it; "-" when it is swallowed.
  std::string receive(std::string frame) {
    const wire::Bytes body(frame.data() + wire::kHeaderBytes, frame.size() - wire::kHeaderBytes);
    EXPECT_TRUE(translator_.incoming(frame[0], body, pending_));
    const auto verdict = pending_.on(frame[0]);
    EXPECT_NE(verdict.action, wire::PendingResponses::Action::kViolation);
    EXPECT_FALSE(verdict.injected);
    return verdict.action == wire::PendingResponses::Action::kSwallow ? "-" : frame;
  }
  bool holding() const { return translator_.holding(); }

 private:
  OidTranslator translator_{example()};
  wire::PendingResponses pending_;
  std::string out_;
};

std::string complete(char type) {
  std::string out;
  if (type == '1') wire::append_parse_complete(out);
  if (type == '2') wire::append_bind_complete(out);
  if (type == 'C') wire::append_command_complete(out, "SELECT 1");
  if (type == 'Z') wire::append_ready(out, 'I');
  if (type == 'E') wire::append_error(out, make_error("22000", "no"));
  return out;
}
std::string description(std::uint32_t type, Format format) {
  const wire::Column columns[] = {{.name = "p", .type_oid = type, .format = format}};
  std::string out;
  wire::append_row_description(out, columns);
  return out;
}
std::string parameters(std::uint32_t type) {
  std::string out;
  const std::uint32_t types[] = {type};
  wire::append_parameter_description(out, types);
  return out;
}
std::string row(const std::string& value) {
  const wire::Value values[] = {value};
  std::string out;
  wire::append_data_row(out, values);
  return out;
}

TEST(OidTranslatorTest, text_needs_no_questions) {
  Conversation c;
  c.parse("s");
  c.bind("", "s", Format::kText);
  c.execute("");
  c.sync();
  EXPECT_EQ(show(c.send()), "P B E S ");
}

TEST(OidTranslatorTest, rows_in_binary_format_are_described_first_and_nobody_else_sees_it) {
  Conversation c;
  c.parse("s");
  c.bind("", "s", Format::kBinary);
  c.execute("");
  c.sync();
  EXPECT_EQ(show(c.send()), "P DSs B DP E S ");
  c.receive(complete('1'));
  EXPECT_EQ(c.receive(parameters(23)), "-");
  EXPECT_EQ(c.receive(description(kPoint, Format::kText)), "-");
  c.receive(complete('2'));
  EXPECT_EQ(c.receive(description(kPoint, Format::kBinary)), "-");
  EXPECT_EQ(c.receive(row(point(0))), row(point(kUp)));
  c.receive(complete('C'));
  c.receive(complete('Z'));
}

TEST(OidTranslatorTest, statements_known_to_give_no_oids_are_not_described_again) {
  Conversation c;
  c.parse("s");
  c.bind("", "s", Format::kBinary);
  c.execute("");
  c.sync();
  c.send();
  for (const std::string& frame :
       {complete('1'), parameters(23), description(23, Format::kText), complete('2'),
        description(23, Format::kBinary), row("1234"), complete('C'), complete('Z')})
    c.receive(frame);
  c.bind("", "s", Format::kBinary);
  c.execute("");
  c.sync();
  EXPECT_EQ(show(c.send()), "B E S ");
}

TEST(OidTranslatorTest, the_clients_own_describe_of_the_portal_is_enough) {
  Conversation c;
  c.parse("");
  c.bind("", "", Format::kBinary);
  c.describe(Target::kPortal, "");
  c.execute("");
  c.sync();
  EXPECT_EQ(show(c.send()), "P B DP E S ");
  c.receive(complete('1'));
  c.receive(complete('2'));
  EXPECT_EQ(c.receive(description(kPoint, Format::kBinary)),
            description(kPoint + kUp, Format::kBinary));
  EXPECT_EQ(c.receive(row(point(0))), row(point(kUp)));
}

TEST(OidTranslatorTest, a_description_of_another_portal_does_not_count) {
  Conversation c;
  c.parse("");
  c.bind("a", "", Format::kBinary);
  c.bind("b", "", Format::kText);
  c.describe(Target::kPortal, "a");
  c.execute("b");
  c.execute("a");
  EXPECT_EQ(show(c.send()), "P B B DPa DPb E DPa E ");
}

TEST(OidTranslatorTest, a_description_from_before_the_portal_was_bound_anew_does_not_count) {
  Conversation c;
  c.parse("");
  c.bind("", "", Format::kBinary);
  c.describe(Target::kPortal, "");
  c.bind("", "", Format::kText);
  c.execute("");
  EXPECT_EQ(show(c.send()), "P B DP B DP E ");
}

TEST(OidTranslatorTest, binary_parameters_of_unknown_types_wait_for_their_description) {
  Conversation c;
  c.parse("s");
  c.bind("", "s", Format::kText, point(kUp));
  c.execute("");
  c.sync();
  EXPECT_EQ(show(c.send()), "P DSs H ");
  c.parse("t");
  EXPECT_EQ(c.send(), "");
  EXPECT_EQ(c.release(), "");
  c.receive(complete('1'));
  EXPECT_EQ(c.receive(parameters(kPoint)), "-");
  EXPECT_EQ(c.release(), "");
  EXPECT_EQ(c.receive(description(23, Format::kText)), "-");
  const std::string rest = c.release();
  EXPECT_EQ(show(rest), "B E S P ");
  EXPECT_NE(rest.find(point(0)), std::string::npos);
  EXPECT_FALSE(c.holding());
}

TEST(OidTranslatorTest, parameters_whose_types_parse_gave_do_not_wait) {
  Conversation c;
  c.parse("s", {kPoint + kUp});
  c.bind("", "s", Format::kText, point(kUp));
  const std::string sent = c.send();
  EXPECT_EQ(show(sent), "P B ");
  EXPECT_NE(sent.find(point(0)), std::string::npos);
}

TEST(OidTranslatorTest, an_error_before_the_description_lets_go_what_waited) {
  Conversation c;
  c.parse("s");
  c.bind("", "s", Format::kBinary, point(kUp));
  c.execute("");
  c.sync();
  c.parse("t");
  c.bind("", "t", Format::kText);
  c.sync();
  EXPECT_EQ(show(c.send()), "P DSs H ");
  c.receive(complete('E'));
  EXPECT_EQ(show(c.release()), "B E S P B S ");
  EXPECT_FALSE(c.holding());
  c.receive(complete('Z'));
  c.receive(complete('1'));
  c.receive(complete('2'));
  c.receive(complete('Z'));
}

}  // namespace
}  // namespace shoal::backend
