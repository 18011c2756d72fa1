// Commands and rows of the admin console.
#include "surface/admin.h"

#include <gtest/gtest.h>

#include "surface/local_cli.h"
#include "surface/print.h"

namespace shoal::surface {
namespace {

using Kind = AdminCommand::Kind;

TEST(Admin, commands_are_read_in_any_case_with_or_without_semicolon) {
  struct Case {
    const char* text;
    Kind kind;
    const char* database;
  };
  const Case table[] = {
      {"SHOW POOLS", Kind::kShowPools, ""},
      {"show  pools ;", Kind::kShowPools, ""},
      {"Show Stats_Totals;", Kind::kShowStatsTotals, ""},
      {"PAUSE", Kind::kPause, ""},
      {"pause s1;", Kind::kPause, "s1"},
      {"PAUSE \"Big Shard\"", Kind::kPause, "Big Shard"},
      {"RESUME S1", Kind::kResume, "s1"},
      {"RELOAD;", Kind::kReload, ""},
      {"SHUTDOWN", Kind::kShutdown, ""},
  };
  for (const Case& c : table) {
    const auto command = parse_admin_command(c.text);
    ASSERT_TRUE(command.has_value()) << c.text;
    EXPECT_EQ(command->kind, c.kind) << c.text;
    EXPECT_EQ(command->database, c.database) << c.text;
  }
  EXPECT_EQ(parse_admin_command("SHUTDOWN WAIT_FOR_CLIENTS")->wait,
            AdminCommand::Wait::kForClients);
}

TEST(Admin, what_is_no_command_is_refused_by_number) {
  for (const char* text : {"", ";", "SHOW", "SHOW bogus", "SELECT 1", "PAUSE a b", "RELOAD x",
                           "SHUTDOWN now", "SHOW POOLS; SHOW CLIENTS"}) {
    const auto command = parse_admin_command(text);
    ASSERT_FALSE(command.has_value()) << text;
    EXPECT_EQ(command.error().detail.substr(0, 6), "SH0801");
  }
}

TEST(Admin, stats_users_may_look_and_admin_users_may_act) {
  const std::vector<std::string> admins{"root"}, stats{"watch"};
  const auto allowed = [&](const char* text, const char* user) {
    return check_admin_access(*parse_admin_command(text), user, admins, stats).has_value();
  };
  EXPECT_TRUE(allowed("PAUSE", "root"));
  EXPECT_TRUE(allowed("SHOW STATS", "watch"));
  EXPECT_TRUE(allowed("SHOW HELP", "watch"));
  EXPECT_FALSE(allowed("PAUSE", "watch"));
  EXPECT_FALSE(allowed("SHOW STATS", "app"));
  EXPECT_TRUE(may_use_admin("watch", admins, stats));
  EXPECT_FALSE(may_use_admin("app", admins, stats));
}

std::string shown(const char* text, const AdminFacts& facts) {
  const AdminTable table = admin_rows(*parse_admin_command(text), facts);
  std::string out;
  for (const auto& row : table.rows) {
    EXPECT_EQ(row.size(), table.columns.size()) << text;
    for (std::size_t i = 0; i < row.size() && i < table.columns.size(); ++i) {
      if (row[i] && *row[i] != "0" && !row[i]->empty()) {
        out += fmt::format("{}={} ", table.columns[i].name, *row[i]);
      }
    }
    out += "| ";
  }
  return out;
}

TEST(Admin, rows_carry_the_facts) {
  AdminFacts facts;
  facts.version = "Shoal 1";
  PoolFacts pool{"s1", "app"};
  pool.servers_active = 2;
  pool.servers_idle = 3;
  pool.clients_waiting = 1;
  pool.longest_wait_us = 1'500'000;
  facts.pools = {pool};
  ConnectionFacts client;
  client.user = "app";
  client.database = "app";
  client.state = "active";
  client.address = "[::1]:999";
  client.local_address = "unix:/tmp/x";
  client.connected_ms = 1'700'000'000'000;
  client.id = 255;
  facts.clients = {client};
  facts.stats = {{"app", {30, 60, 1000, 2000, 900, 600, 5}, {10, 20, 0, 0, 100, 200, 1}, 4}};
  facts.databases = {{"s1", "h", "5432", "app", 20, 0, 5, true, false}};
  facts.config = {{"listen.port", "7000", "6432", false}};
  facts.users = {"app"};

  EXPECT_EQ(shown("SHOW VERSION", facts), "version=Shoal 1 | ");
  EXPECT_EQ(shown("SHOW POOLS", facts),
            "database=s1 user=app cl_waiting=1 sv_active=2 sv_idle=3 maxwait=1 maxwait_us=500000 "
            "pool_mode=transaction | ");
  EXPECT_EQ(shown("SHOW CLIENTS", facts),
            "type=C user=app database=app state=active addr=::1 port=999 local_addr=unix "
            "connect_time=2023-11-14 22:13:20 UTC ptr=0xff | ");
  EXPECT_EQ(shown("SHOW STATS_AVERAGES", facts),
            "database=app xact_count=5 query_count=10 bytes_received=250 bytes_sent=500 "
            "xact_time=40 query_time=10 wait_time=1 | ");
  EXPECT_EQ(shown("SHOW STATS_TOTALS", facts),
            "database=app xact_count=30 query_count=60 bytes_received=1000 bytes_sent=2000 "
            "xact_time=900 query_time=600 wait_time=5 | ");
  EXPECT_EQ(shown("SHOW DATABASES", facts),
            "name=s1 host=h port=5432 database=app pool_size=20 pool_mode=transaction "
            "current_connections=5 paused=1 | ");
  EXPECT_EQ(shown("SHOW CONFIG", facts),
            "key=listen.port value=7000 default=6432 changeable=no | ");
  EXPECT_NE(shown("SHOW LISTS", facts).find("list=used_servers items=2 "), std::string::npos);
  EXPECT_NE(shown("SHOW TOTALS", facts).find("name=total_sent value=2000 "), std::string::npos);
  EXPECT_EQ(shown("SHOW STATE", facts), "key=state value=active | ");
  EXPECT_EQ(shown("SHOW USERS", facts), "name=app | ");
}

TEST(Admin, every_show_command_has_columns_also_without_facts) {
  for (const char* word : {"VERSION", "CONFIG", "DATABASES", "POOLS", "CLIENTS", "SERVERS", "USERS",
                           "LISTS", "STATS", "STATS_TOTALS", "STATS_AVERAGES", "TOTALS", "STATE"}) {
    const auto command = parse_admin_command(std::string("SHOW ") + word);
    ASSERT_TRUE(command.has_value()) << word;
    EXPECT_TRUE(shows_rows(command->kind));
    EXPECT_FALSE(admin_rows(*command, {}).columns.empty()) << word;
    EXPECT_NE(admin_help().find(word), std::string::npos) << word;
  }
}

TEST(Print, columns_are_aligned_by_characters) {
  const Sheet sheet{{"a", "name"}, {{"1", "x"}, {"\xc3\xa4\xc3\xa4\xc3\xa4", std::nullopt}}};
  EXPECT_EQ(print_aligned(sheet), "a    name\n1    x\n\xc3\xa4\xc3\xa4\xc3\xa4\n");
}

TEST(Print, json_is_escaped) {
  const Sheet sheet{{"k\""}, {{"a\\b\n"}, {std::nullopt}}};
  EXPECT_EQ(print_json(sheet), "[{\"k\\\"\": \"a\\\\b\\u000a\"},\n {\"k\\\"\": null}]\n");
}

TEST(Refusals, the_page_lists_every_number_once) {
  const std::string page = refusals_markdown();
  for (const RefusalEntry& entry : refusal_table()) {
    const std::string number = fmt::format("| SH{:04} |", static_cast<int>(entry.number));
    const std::size_t first = page.find(number);
    ASSERT_NE(first, std::string::npos) << number;
    EXPECT_EQ(page.find(number, first + 1), std::string::npos) << number;
  }
}

TEST(Admin, keys_and_slots_show_the_load_and_keys_are_for_administrators_only) {
  AdminFacts facts;
  KeyFacts k;
  k.keyspace = "tenants";
  k.slots = 128;
  k.total = 1000;
  k.top.push_back({"42", "s1", 250, 8});
  k.stretches.push_back({0, 1, "s1", 250});
  facts.keys.push_back(k);
  const auto rows = [&](const char* text) {
    return admin_rows(*parse_admin_command(text), facts).rows.at(0);
  };
  EXPECT_EQ(rows("SHOW KEYS").at(1), "42");
  EXPECT_EQ(rows("SHOW KEYS").at(5), "25.0");
  EXPECT_EQ(rows("SHOW SLOTS").at(4), "250");
  EXPECT_FALSE(check_admin_access(*parse_admin_command("SHOW KEYS"), "stats", {"root"}, {"stats"}));
  EXPECT_TRUE(check_admin_access(*parse_admin_command("SHOW SLOTS"), "stats", {"root"}, {"stats"}));
}

}  // namespace
}  // namespace shoal::surface
