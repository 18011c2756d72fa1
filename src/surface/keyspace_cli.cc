// Drawing slots, and the report of a test.
#include "surface/keyspace_cli.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fstream>
#include <iostream>

#include "control/pq.h"
#include "control/selftest.h"
#include "surface/ask.h"
#include "surface/catalog_dsn.h"
#include "surface/progress.h"

namespace shoal::surface {
namespace {

namespace json = boost::json;
using control::quote_literal;

struct Options {
  std::string url, catalog, name, expect;
  std::uint64_t values = 10'000, sample = 1'000;
  bool json = false;
};

struct Shown {
  std::string function, params, key, tables;
  std::uint64_t slots = 0;
  std::vector<SlotRun> runs;
  std::vector<std::string> shards;
  Sheet balance;
};

std::string at(const Sheet& sheet, std::size_t row, std::size_t column) {
  return sheet.rows.at(row).at(column).value_or("");
}

std::uint64_t to_number(const std::string& text) {
  return text.empty() ? 0 : std::strtoull(text.c_str(), nullptr, 10);
}

Result<Shown> read_keyspace(const Options& o) {
  const std::string name = quote_literal(o.name);
  auto head = ask_router(o.url,
                         "SELECT function, params::text, array_to_string(key_types, ', '), slots,"
                         " (SELECT string_agg(relation::text, ', ' ORDER BY relation::text)"
                         "  FROM shoal.placed_table t WHERE t.keyspace = k.id)"
                         " FROM shoal.keyspaces k WHERE name = " +
                             name);
  if (!head) return std::move(head).error();
  if (head->rows.empty()) {
    return make_error("42704", fmt::format("there is no keyspace \"{}\"", o.name), "",
                      "shoal keyspace list");
  }
  Shown out{at(*head, 0, 0),
            at(*head, 0, 1),
            at(*head, 0, 2),
            at(*head, 0, 4),
            to_number(at(*head, 0, 3)),
            {},
            {},
            {}};
  auto runs = ask_router(
      o.url, "SELECT first_slot, last_slot, shard FROM shoal.slots WHERE keyspace = " + name +
                 " ORDER BY 1");
  if (!runs) return std::move(runs).error();
  for (std::size_t i = 0; i < runs->rows.size(); ++i) {
    out.runs.push_back({to_number(at(*runs, i, 0)), to_number(at(*runs, i, 1)), at(*runs, i, 2)});
  }
  auto balance = ask_router(
      o.url,
      "SELECT shard, slots, pins, rows, bytes, percent FROM shoal.balance WHERE keyspace = " +
          name + " ORDER BY shard");
  if (!balance) return std::move(balance).error();
  out.balance = std::move(*balance);
  for (std::size_t i = 0; i < out.balance.rows.size(); ++i) {
    out.shards.push_back(at(out.balance, i, 0));
  }
  return out;
}

std::string size_text(std::uint64_t bytes) {
  const char* units[] = {"bytes", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, unit == 0 || value >= 100 ? 0 : 1, units[unit]);
}

void print_people(const Options& o, const Shown& k) {
  fmt::print("Keyspace {}\n  function  {} {}\n  key       {}\n  tables    {}\n  slots     {}\n\n",
             o.name, k.function, k.params, k.key, k.tables.empty() ? "none" : k.tables,
             grouped(k.slots));
  const std::string picture =
      slot_picture(k.slots, k.runs, k.shards, std::min<std::uint64_t>(64, k.slots));
  fmt::print("  0 |{}| {}\n\n", picture, k.slots == 0 ? 0 : k.slots - 1);
  Sheet sheet{{"", "shard", "slots", "share", "pins", "rows", "size"}, {}};
  for (std::size_t i = 0; i < k.balance.rows.size(); ++i) {
    const std::uint64_t slots = to_number(at(k.balance, i, 1));
    const double share = k.slots == 0 ? 0 : 100.0 * double(slots) / double(k.slots);
    sheet.rows.push_back({std::string(1, shard_letter(i)), at(k.balance, i, 0), grouped(slots),
                          fmt::format("{:.1f} %", share), at(k.balance, i, 2),
                          grouped(to_number(at(k.balance, i, 3))),
                          size_text(to_number(at(k.balance, i, 4)))});
  }
  const std::string table = print_aligned(sheet);
  for (std::size_t from = 0; from < table.size();) {
    const std::size_t end = table.find('\n', from);
    fmt::print("  {}\n", table.substr(from, end - from));
    from = end + 1;
  }
  fmt::print("\nRows and sizes are as of the last shoal.measure().\n");
}

void print_program(const Options& o, const Shown& k) {
  json::array runs, shards;
  for (const SlotRun& r : k.runs) {
    runs.push_back(json::object{{"first", r.first}, {"last", r.last}, {"shard", r.shard}});
  }
  for (std::size_t i = 0; i < k.balance.rows.size(); ++i) {
    shards.push_back(json::object{{"shard", at(k.balance, i, 0)},
                                  {"slots", to_number(at(k.balance, i, 1))},
                                  {"pins", to_number(at(k.balance, i, 2))},
                                  {"rows", to_number(at(k.balance, i, 3))},
                                  {"bytes", to_number(at(k.balance, i, 4))}});
  }
  const json::object out{{"name", o.name}, {"function", k.function}, {"params", k.params},
                         {"key", k.key},   {"tables", k.tables},     {"slots", k.slots},
                         {"ranges", runs}, {"shards", shards}};
  fmt::print("{}\n", json::serialize(out));
}

int show(const Options& o) {
  const auto shown = read_keyspace(o);
  if (!shown) return print_error(shown.error());
  if (o.json)
    print_program(o, *shown);
  else
    print_people(o, *shown);
  return 0;
}

// JSON lines: {"key": 42 or "42" or [..], "shard": "s1"}.
Result<std::vector<control::Expectation>> read_expectations(const std::string& file) {
  std::vector<control::Expectation> out;
  if (file.empty()) return out;
  std::ifstream stream(file);
  if (!stream) return make_error("58P01", fmt::format("cannot read {}", file));
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    boost::system::error_code ec;
    const json::value value = json::parse(line, ec);
    const auto* object = ec ? nullptr : value.if_object();
    const json::value* key = object ? object->if_contains("key") : nullptr;
    const json::value* shard = object ? object->if_contains("shard") : nullptr;
    control::Expectation e;
    const auto add = [&](const json::value& part) {
      e.key.push_back(part.is_string() ? std::string(part.get_string()) : json::serialize(part));
    };
    if (key && key->is_array()) {
      for (const json::value& part : key->get_array()) add(part);
    } else if (key) {
      add(*key);
    }
    if (!key || !shard || !shard->is_string()) {
      return make_error(
          "22023",
          fmt::format("{}:{}: {{\"key\": ..., \"shard\": \"name\"}} is needed", file, number));
    }
    e.shard = std::string(shard->get_string());
    out.push_back(std::move(e));
  }
  return out;
}

int test(const Options& o) {
  const auto dsn = catalog_dsn(o.catalog);
  if (!dsn) return print_error(dsn.error());
  const auto expectations = read_expectations(o.expect);
  if (!expectations) return print_error(expectations.error());
  const auto r = control::run_keyspace_test(*dsn, o.name, o.values, o.sample, *expectations);
  if (!r) return print_error(r.error());
  if (o.json) {
    const json::object out{{"keyspace", o.name},
                           {"server_values", r->server_values},
                           {"server_differ", r->server_differ},
                           {"rows", r->rows},
                           {"rows_differ", r->rows_differ},
                           {"rows_without_place", r->rows_without_place},
                           {"expected", r->expected},
                           {"expected_differ", r->expected_differ},
                           {"examples", json::array(r->examples.begin(), r->examples.end())},
                           {"good", r->good()}};
    fmt::print("{}\n", json::serialize(out));
    return r->good() ? 0 : 2;
  }
  if (r->server_values > 0) {
    fmt::print("{} values against the server's satisfies_hash_partition: {} differ\n",
               grouped(r->server_values), grouped(r->server_differ));
  } else {
    fmt::print("the server has no such function to compare with\n");
  }
  fmt::print("{} rows against where they lie: {} elsewhere, {} without a place\n", grouped(r->rows),
             grouped(r->rows_differ), grouped(r->rows_without_place));
  if (r->expected > 0) {
    fmt::print("{} expectations: {} differ\n", grouped(r->expected), grouped(r->expected_differ));
  }
  for (const std::string& e : r->examples) fmt::print("  {}\n", e);
  fmt::print("{}\n", r->good() ? "good" : "NOT good");
  return r->good() ? 0 : 2;
}

}  // namespace

char shard_letter(std::size_t index) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return index < kLetters.size() ? kLetters[index] : '#';
}

std::string slot_picture(std::uint64_t slots, const std::vector<SlotRun>& runs,
                         const std::vector<std::string>& shards, std::size_t width) {
  std::string out(width, ' ');
  for (std::size_t cell = 0; cell < width; ++cell) {
    const std::uint64_t first = cell * slots / width;
    const std::uint64_t end = std::max((cell + 1) * slots / width, first + 1);
    std::uint64_t covered = 0;
    for (const SlotRun& r : runs) {
      if (r.last < first || r.first >= end) continue;
      covered += std::min(r.last + 1, end) - std::max(r.first, first);
      const auto shard = std::find(shards.begin(), shards.end(), r.shard);
      const char letter = shard_letter(static_cast<std::size_t>(shard - shards.begin()));
      out[cell] = out[cell] == ' ' || out[cell] == letter ? letter : '+';
    }
    if (covered == 0) out[cell] = '.';
    if (covered > 0 && covered < end - first) out[cell] = '+';
  }
  return out;
}

void add_keyspace_show_and_test(CLI::App& keyspace, int& status) {
  auto o = std::make_shared<Options>();
  CLI::App* show_command =
      keyspace.add_subcommand("show", "Draw which slots of a keyspace are on which shard");
  show_command->add_option("name", o->name, "Keyspace")->required();
  show_command->add_option("--url", o->url,
                           "Router to ask (or SHOAL_URL; otherwise the development cluster)");
  show_command->add_flag("--json", o->json, "As JSON");
  show_command->callback([o, &status] { status = show(*o); });

  CLI::App* test_command = keyspace.add_subcommand(
      "test", "Compare a keyspace's function with the server's own, with rows, with expectations");
  test_command->add_option("name", o->name, "Keyspace")->required();
  add_catalog_option(*test_command, o->catalog);
  test_command
      ->add_option("--values", o->values, "Random and difficult values to compare with the server")
      ->capture_default_str();
  test_command->add_option("--sample", o->sample, "Rows to look at, for each table and shard")
      ->capture_default_str();
  test_command->add_option("--expect", o->expect,
                           "File of JSON lines {\"key\": ..., \"shard\": \"name\"}");
  test_command->add_flag("--json", o->json, "As JSON");
  test_command->footer("Exit status: 0 all agree, 1 an error, 2 something differs.");
  test_command->callback([o, &status] { status = test(*o); });
}

}  // namespace shoal::surface
