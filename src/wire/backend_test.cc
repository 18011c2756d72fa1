// Claims about the server's messages: each is read back as written, and none that is malformed
// is accepted.
#include "wire/backend.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace shoal::wire {
namespace {

using namespace std::string_view_literals;

Frame frame_of(std::string_view bytes) {
  return std::get<Frame>(decode_frame(bytes, 1 << 20));
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

TEST(BackendTest, errors_keep_every_field_in_order) {
  constexpr std::string_view body = "SERROR\0VERROR\0C23505\0Mdup\0?new\0stab\0\0"sv;
  const ErrorFields fields = *decode_error_fields(body);
  ASSERT_EQ(fields.fields.size(), 6u);
  EXPECT_EQ(fields.fields[4], std::pair('?', "new"sv));
  EXPECT_EQ(fields.get('s'), "tab");
  EXPECT_EQ(fields.get('H'), "");
  std::string again;
  append_error_fields(again, 'E', fields);
  EXPECT_EQ(frame_of(again).body, body);
  EXPECT_EQ(frame_of(again).type, 'E');
}

TEST(BackendTest, errors_become_ours_and_back) {
  Error error = make_error("22012", "division by zero", "why", "how");
  error.position = 8;
  std::string bytes;
  append_error(bytes, error);
  const Error back = error_from(*decode_error_fields(frame_of(bytes).body), "s3");
  EXPECT_EQ(back.sqlstate, "22012");
  EXPECT_EQ(back.message, "division by zero");
  EXPECT_EQ(back.detail, "why");
  EXPECT_EQ(back.hint, "how");
  EXPECT_EQ(back.position, 8);
  EXPECT_EQ(back.shard, "s3");
  EXPECT_FALSE(back.fatal);

  error.fatal = true;
  error.shard = "s1";
  bytes.clear();
  append_error(bytes, error);
  const ErrorFields fatal = *decode_error_fields(frame_of(bytes).body);
  EXPECT_EQ(fatal.get('S'), "FATAL");
  EXPECT_EQ(fatal.get('W'), "on shard s1");
  EXPECT_TRUE(error_from(fatal).fatal);
}

TEST(BackendTest, an_error_of_a_hostile_server_still_has_a_sqlstate) {
  const std::pair<std::string_view, const char*> cases[] = {
      {"Mno code\0\0"sv, "XX000"},
      {"C\0Mempty\0\0"sv, "XX000"},
      {"C2300\0Mshort\0\0"sv, "XX000"},
      {"C235055\0Mlong\0\0"sv, "XX000"},
      {"Cabc'd\0Mquotes\0\0"sv, "XX000"},
      {"C23505\0Mgood\0P99999999999999\0\0"sv, "23505"},
      {"\0"sv, "XX000"},
  };
  for (const auto& [body, sqlstate] : cases) {
    const Error error = error_from(*decode_error_fields(body));
    EXPECT_EQ(error.sqlstate, sqlstate) << body;
    EXPECT_EQ(error.position, 0);
    EXPECT_FALSE(error.message.empty());
  }
}

TEST(BackendTest, severity_is_read_from_the_field_that_is_not_translated) {
  EXPECT_TRUE(decode_error_fields("SFATAL\0\0"sv)->ends_session());
  EXPECT_TRUE(decode_error_fields("SSCHWERWIEGEND\0VFATAL\0\0"sv)->ends_session());
  EXPECT_TRUE(decode_error_fields("SPANIC\0VPANIC\0\0"sv)->ends_session());
  EXPECT_FALSE(decode_error_fields("SERROR\0VERROR\0\0"sv)->ends_session());
}

TEST(BackendTest, row_descriptions_are_read_back) {
  const Column columns[] = {
      {"id", 16394, 1, 23, 4, -1, Format::kBinary},
      {"", 0, 0, 1043, -1, 24, Format::kText},
  };
  std::string bytes;
  append_row_description(bytes, columns);
  const RowDescription back = *decode_row_description(frame_of(bytes).body);
  ASSERT_EQ(back.columns.size(), 2u);
  EXPECT_EQ(back.columns[0].name, "id");
  EXPECT_EQ(back.columns[0].table_oid, 16394u);
  EXPECT_EQ(back.columns[0].attnum, 1);
  EXPECT_EQ(back.columns[0].type_oid, 23u);
  EXPECT_EQ(back.columns[0].type_size, 4);
  EXPECT_EQ(back.columns[0].format, Format::kBinary);
  EXPECT_EQ(back.columns[1].typmod, 24);
  EXPECT_EQ(back.columns[1].type_size, -1);
  bytes.clear();
  append_row_description(bytes, {});
  EXPECT_TRUE(decode_row_description(frame_of(bytes).body)->columns.empty());
}

TEST(BackendTest, a_declared_count_of_columns_allocates_nothing) {
  EXPECT_FALSE(decode_row_description("\xff\xff"sv).has_value());
  EXPECT_FALSE(decode_data_row("\xff\xff"sv).has_value());
  EXPECT_FALSE(decode_data_row("\0\1\x7f\xff\xff\xffxyz"sv).has_value());
  EXPECT_FALSE(decode_data_row("\0\1\x80\0\0\0"sv).has_value());
  EXPECT_FALSE(decode_negotiate("\0\0\0\0\xff\xff\xff\xff"sv).has_value());
}

TEST(BackendTest, data_rows_are_read_back_and_their_body_is_a_copy_tuple) {
  const Value values[] = {"x", std::nullopt, ""};
  std::string bytes;
  append_data_row(bytes, values);
  const Frame frame = frame_of(bytes);
  const DataRow row = *decode_data_row(frame.body);
  EXPECT_EQ(row.values.to_vector(), std::vector<Value>(std::begin(values), std::end(values)));
  EXPECT_EQ(row.values.at(0), "x");
  EXPECT_EQ(row.values.at(1), std::nullopt);
  EXPECT_EQ(row.values.at(2), "");
  std::vector<Value> reused(7);
  row.values.copy_to(reused);
  EXPECT_EQ(reused.size(), 3u);
  EXPECT_EQ(hex(frame.body),
            "0003"
            "0000000178"
            "ffffffff"
            "00000000");
  EXPECT_EQ(row.values.raw(), frame.body.substr(2));
}

TEST(BackendTest, tags_are_parsed_and_printed_alike) {
  struct Case {
    std::string_view text, command;
    long oid, rows;  // -1: none
  };
  const Case cases[] = {
      {"SELECT 5", "SELECT", -1, 5},
      {"INSERT 0 12", "INSERT", 0, 12},
      {"CREATE TABLE", "CREATE TABLE", -1, -1},
      {"BEGIN", "BEGIN", -1, -1},
      {"", "", -1, -1},
      {"COPY 9223372036854775807", "COPY", -1, 9223372036854775807L},
      {"FETCH 0", "FETCH", -1, 0},
      {"SELECT -1", "SELECT -1", -1, -1},
      {"SELECT 99999999999999999999", "SELECT 99999999999999999999", -1, -1},
      {"CREATE TABLE AS 3", "CREATE TABLE AS", -1, 3},
      {"7", "7", -1, -1},
  };
  for (const Case& c : cases) {
    const Tag tag = parse_tag(c.text);
    EXPECT_EQ(tag.command, c.command) << c.text;
    EXPECT_EQ(tag.oid ? static_cast<long>(*tag.oid) : -1, c.oid) << c.text;
    EXPECT_EQ(tag.rows ? static_cast<long>(*tag.rows) : -1, c.rows) << c.text;
    EXPECT_EQ(print_tag(tag), c.text);
  }
}

TEST(BackendTest, small_messages_are_read_back) {
  std::string b;
  append_parameter_status(b, "TimeZone", "Etc/UTC");
  const auto status = *decode_parameter_status(frame_of(b).body);
  EXPECT_EQ(status.name, "TimeZone");
  EXPECT_EQ(status.value, "Etc/UTC");
  b.clear();
  append_backend_key_data(b, 4711, "key!");
  const auto key = *decode_backend_key_data(frame_of(b).body);
  EXPECT_EQ(key.pid, 4711);
  EXPECT_EQ(key.secret, "key!");
  b.clear();
  append_ready(b, 'T');
  EXPECT_EQ(decode_ready(frame_of(b).body)->status, 'T');
  b.clear();
  append_command_complete(b, "SELECT 1");
  EXPECT_EQ(decode_command_complete(frame_of(b).body)->tag, "SELECT 1");
  b.clear();
  append_parameter_description(b, std::array{23u, 25u});
  EXPECT_EQ(decode_parameter_description(frame_of(b).body)->types.to_vector(),
            (std::vector<std::uint32_t>{23, 25}));
  b.clear();
  append_notification(b, 9, "channel", "payload");
  const auto notification = *decode_notification(frame_of(b).body);
  EXPECT_EQ(notification.channel, "channel");
  EXPECT_EQ(notification.payload, "payload");
  b.clear();
  append_copy_in_response(b, Format::kBinary, std::array{Format::kBinary, Format::kBinary});
  EXPECT_EQ(frame_of(b).type, 'G');
  EXPECT_EQ(decode_copy_response(frame_of(b).body)->columns.size(), 2u);
  EXPECT_EQ(decode_copy_response(frame_of(b).body)->format, Format::kBinary);
  b.clear();
  append_negotiate(b, 0, std::array{"_pq_.x"sv});
  EXPECT_EQ(decode_negotiate(frame_of(b).body)->unknown_options.at(0), "_pq_.x");
  b.clear();
  append_function_result(b, Value("42"));
  EXPECT_EQ(hex(b),
            "560000000a"
            "00000002"
            "3432");
  b.clear();
  append_notice(b, "WARNING", "01000", "careful", "", "look");
  const auto notice = *decode_error_fields(frame_of(b).body);
  EXPECT_EQ(notice.get('S'), "WARNING");
  EXPECT_EQ(notice.get('H'), "look");
  EXPECT_EQ(notice.fields.size(), 5u);
}

TEST(BackendTest, authentication_requests_are_read_back) {
  std::string b;
  append_auth_sasl(b, std::array{"SCRAM-SHA-256-PLUS"sv, "SCRAM-SHA-256"sv});
  const auto sasl = *decode_authentication(frame_of(b).body);
  EXPECT_EQ(sasl.kind, Authentication::kSasl);
  EXPECT_EQ(sasl_mechanisms(sasl),
            (std::vector<std::string_view>{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}));
  b.clear();
  append_auth_md5(b, "salt");
  EXPECT_EQ(decode_authentication(frame_of(b).body)->data, "salt");
  b.clear();
  append_auth_ok(b);
  EXPECT_EQ(decode_authentication(frame_of(b).body)->kind, Authentication::kOk);
  EXPECT_FALSE(decode_authentication("\0\0\0\5abc"sv).has_value()) << "md5 with a short salt";
  EXPECT_FALSE(decode_authentication("\0\0\0"sv).has_value());
  EXPECT_TRUE(sasl_mechanisms({.kind = 10, .data = "never ends"}).empty());
}

TEST(BackendTest, malformed_messages_end_the_connection_to_the_server) {
  const Error errors[] = {
      decode_error_fields("Mno end"sv).error(),
      decode_error_fields("Mno last nul\0"sv).error(),
      decode_error_fields("Mtext\0\0more"sv).error(),
      decode_ready("X"sv).error(),
      decode_ready(""sv).error(),
      decode_ready("II"sv).error(),
      decode_command_complete("SELECT 1"sv).error(),
      decode_parameter_status("a\0b"sv).error(),
      decode_backend_key_data("\0\0\0\1abc"sv).error(),
      decode_parameter_description("\0\2\0\0\0\1"sv).error(),
      decode_copy_response("\0\0\1"sv).error(),
      decode_notification("\0\0\0\1a\0"sv).error(),
  };
  for (const Error& error : errors) {
    EXPECT_EQ(error.sqlstate, "08P01");
    EXPECT_TRUE(error.fatal);
  }
}

}  // namespace
}  // namespace shoal::wire
