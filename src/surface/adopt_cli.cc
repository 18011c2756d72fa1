// Options of shoal adopt, and its report for people and for programs.
#include "surface/adopt_cli.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "control/adopt.h"
#include "surface/print.h"
#include "surface/progress.h"

namespace shoal::surface {
namespace {

namespace json = boost::json;
using control::Adoption;
using control::AdoptKeyspace;
using control::AdoptOptions;
using control::AdoptPlacement;
using control::Servers;

constexpr const char* kHelp = R"(
Reads tables, constraints and partitions of the shards, finds the key of each table and the function
that placed its rows, checks that against rows, and shows the result. Only --yes writes, and what it
writes is the catalog: no row moves. What it cannot find out it asks for.

Example:
  shoal adopt --shard a=postgresql://db1/app --shard b=postgresql://db2/app
  shoal adopt --shard ... --key tenant_id --function dorm --params '{"n": 2}' --verify all --yes)";

struct Options {
  AdoptOptions adopt;
  std::vector<std::string> shards;
  std::string verify = "sample";
  bool yes = false, json = false;
};

Result<> read_shards(Options& options) {
  for (const std::string& text : options.shards) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return make_error("22023", fmt::format("--shard {}: NAME=DSN is needed", text));
    }
    options.adopt.shards.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  options.adopt.verify_all = options.verify == "all";
  return {};
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

// ---- for people ---------------------------------------------------------------------------------

void print_indented(const std::string& text) {
  std::size_t from = 0;
  while (from < text.size()) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    fmt::print("  {}\n", text.substr(from, end - from));
    from = end + 1;
  }
}

void print_citus(const Servers& servers) {
  if (servers.citus.empty()) return;
  Sheet sheet{{"table", "method", "column", "shards", "nodes", "hashes"}, {}};
  for (const control::CitusTable& t : servers.citus) {
    sheet.rows.push_back({t.table, t.method, t.column, std::to_string(t.shards),
                          std::to_string(t.nodes),
                          t.smallest.empty() ? "" : t.smallest + " .. " + t.largest});
  }
  fmt::print("Citus\n");
  print_indented(print_aligned(sheet));
  fmt::print("\n");
}

// Where the buckets lie, in a few words.
std::string owners_text(const AdoptKeyspace& k, const Servers& servers) {
  if (!k.pins.empty()) return fmt::format("{} keys are pinned", k.pins.size());
  std::map<std::size_t, std::vector<std::string>> by_shard;
  for (std::uint32_t b = 0; b < k.owners.size(); ++b) {
    if (k.owners[b] != AdoptKeyspace::kNobody) {
      by_shard[k.owners[b]].push_back(k.made->bucket_name(b));
    }
  }
  std::string out;
  for (auto& [shard, names] : by_shard) {
    const std::size_t all = names.size();
    if (names.size() > 4) names.resize(4);
    out += fmt::format("{}{}: {}{}", out.empty() ? "" : "; ", servers.specs[shard].name,
                       joined(names), all > 4 ? fmt::format(", ... ({} buckets)", all) : "");
  }
  return out;
}

void print_keyspaces(const Servers& servers, const Adoption& adoption) {
  fmt::print("Keyspaces\n");
  if (adoption.keyspaces.empty()) fmt::print("  none\n");
  for (const AdoptKeyspace& k : adoption.keyspaces) {
    std::vector<std::string> types;
    for (const keys::KeyType t : k.types) types.emplace_back(keys::type_name(t));
    fmt::print(
        "  {}\n    function  {} {}\n    key       {}\n    slots     {}\n    shards    {}\n"
        "    evidence  {}\n",
        k.name, k.function, k.params, joined(types), k.made->slot_count(), owners_text(k, servers),
        k.evidence);
  }
}

void print_tables(const Servers& servers, const Adoption& adoption) {
  Sheet sheet{{"table", "kind", "keyspace", "key", "checked", "misplaced", "why"}, {}};
  for (const AdoptPlacement& p : adoption.placements) {
    const bool sharded = p.kind == AdoptPlacement::Kind::kSharded;
    sheet.rows.push_back({servers.tables[p.table].shown(), std::string(kind_name(p.kind)),
                          sharded ? adoption.keyspaces[p.keyspace].name : "", joined(p.key),
                          sharded ? grouped(p.rows) : "",
                          sharded ? grouped(p.misplaced + p.without_place) : "", p.why});
  }
  fmt::print("\nTables\n");
  print_indented(print_aligned(sheet));
}

void print_list(const char* title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  fmt::print("\n{}\n", title);
  for (const std::string& line : lines) fmt::print("  - {}\n", line);
}

void print_report(const Servers& servers, const Adoption& adoption) {
  fmt::print("Shards\n");
  for (std::size_t i = 0; i < servers.specs.size(); ++i) {
    const auto dsn = control::parse_dsn(servers.specs[i].dsn);
    const std::string place = dsn ? fmt::format("{}:{}/{}", dsn->host, dsn->port, dsn->dbname) : "";
    fmt::print("  {}  {}{}\n", servers.specs[i].name, place, i == servers.home ? "  (home)" : "");
  }
  fmt::print("\n");
  print_citus(servers);
  if (servers.citus.empty()) {
    print_keyspaces(servers, adoption);
    print_tables(servers, adoption);
  }
  std::vector<std::string> local, examples;
  for (const AdoptPlacement& p : adoption.placements) {
    for (const std::string& c : p.local_constraints) {
      local.push_back(fmt::format("{} of {}", c, servers.tables[p.table].shown()));
    }
    for (const std::string& e : p.examples) {
      examples.push_back(fmt::format("{}: {}", servers.tables[p.table].shown(), e));
    }
  }
  print_list("Unique constraints without the key: they hold within each shard only", local);
  print_list("Misplaced rows, some of them", examples);
  print_list("Writing will also", adoption.actions);
  print_list("Notes", adoption.notes);
  print_list("Problems", adoption.problems);
}

// ---- for programs -------------------------------------------------------------------------------

json::array strings(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

json::object keyspace_json(const AdoptKeyspace& k, const Servers& servers) {
  json::object owners;
  for (std::uint32_t b = 0; b < k.owners.size(); ++b) {
    if (k.owners[b] == AdoptKeyspace::kNobody) continue;
    owners[k.made->bucket_name(b)] = servers.specs[k.owners[b]].name;
  }
  json::array types;
  for (const keys::KeyType t : k.types) types.emplace_back(keys::type_name(t));
  return {{"name", k.name},        {"function", k.function},        {"params", k.params},
          {"types", types},        {"slots", k.made->slot_count()}, {"owners", owners},
          {"pins", k.pins.size()}, {"evidence", k.evidence}};
}

json::object table_json(const AdoptPlacement& p, const Servers& servers, const Adoption& adoption) {
  const bool sharded = p.kind == AdoptPlacement::Kind::kSharded;
  json::object out{{"table", servers.tables[p.table].shown()},
                   {"kind", std::string(kind_name(p.kind))},
                   {"key", strings(p.key)},
                   {"local_constraints", strings(p.local_constraints)},
                   {"checked", p.rows},
                   {"misplaced", p.misplaced},
                   {"without_place", p.without_place},
                   {"without_key", p.without_key},
                   {"examples", strings(p.examples)},
                   {"why", p.why}};
  if (sharded) out["keyspace"] = adoption.keyspaces[p.keyspace].name;
  return out;
}

void print_json_report(const Servers& servers, const Adoption& adoption, bool written) {
  json::array shards, keyspaces, tables, citus;
  for (const control::ShardSpec& s : servers.specs) shards.emplace_back(s.name);
  for (const AdoptKeyspace& k : adoption.keyspaces) keyspaces.push_back(keyspace_json(k, servers));
  for (const AdoptPlacement& p : adoption.placements) {
    tables.push_back(table_json(p, servers, adoption));
  }
  for (const control::CitusTable& t : servers.citus) {
    citus.push_back(json::object{{"table", t.table},
                                 {"method", t.method},
                                 {"column", t.column},
                                 {"shards", t.shards},
                                 {"nodes", t.nodes}});
  }
  const json::object report{{"shards", shards},
                            {"home", servers.specs[servers.home].name},
                            {"keyspaces", keyspaces},
                            {"tables", tables},
                            {"citus", citus},
                            {"actions", strings(adoption.actions)},
                            {"notes", strings(adoption.notes)},
                            {"problems", strings(adoption.problems)},
                            {"written", written}};
  fmt::print("{}\n", json::serialize(report));
}

// ---- the command --------------------------------------------------------------------------------

int run(Options options) {
  if (auto read = read_shards(options); !read) return print_error(read.error());
  ProgressLine line(ProgressLine::style_for(options.json));
  const control::Progress progress = [&](const std::string& what, std::uint64_t done,
                                         std::uint64_t total) { line.show(what, done, total); };
  auto servers = control::read_servers(options.adopt);
  if (!servers) return print_error(servers.error());
  auto adoption = control::propose(*servers, options.adopt, progress);
  if (!adoption) return print_error(adoption.error());
  if (auto done = control::verify(*servers, options.adopt, *adoption, progress); !done) {
    return print_error(done.error());
  }
  if (adoption->problems.empty()) {
    auto refused = control::rehearse_adoption(*servers, options.adopt, *adoption);
    if (!refused) return print_error(refused.error());
    for (std::string& text : *refused) adoption->problems.push_back(std::move(text));
  }
  line.finish();
  const bool ready = adoption->problems.empty();
  if (!options.json) print_report(*servers, *adoption);
  if (options.yes && ready) {
    auto written = control::write_adoption(*servers, options.adopt, *adoption, progress);
    line.finish();
    if (!written) return print_error(written.error());
  }
  if (options.json) {
    print_json_report(*servers, *adoption, options.yes && ready);
  } else if (!ready) {
    fmt::print("\nNothing was written: decide about the problems first.\n");
  } else if (!options.yes) {
    fmt::print("\nNothing was written. With --yes this becomes the cluster {}.\n",
               options.adopt.cluster);
  } else {
    fmt::print(
        "\nCluster {} is written; no row was moved. Start a router with\n"
        "  shoal serve --set 'catalog.dsn={}'\n",
        options.adopt.cluster, servers->specs[servers->home].dsn);
  }
  return ready ? 0 : 2;
}

}  // namespace

void add_adopt_command(CLI::App& app, int& status) {
  auto o = std::make_shared<Options>();
  CLI::App* adopt =
      app.add_subcommand("adopt", "Make a cluster of databases that are sharded by hand");
  adopt->footer(kHelp);
  adopt->add_option("--shard", o->shards, "NAME=DSN; once for each shard, as superuser")
      ->required();
  adopt->add_option("--home", o->adopt.home,
                    "Shard that holds the catalog and single tables (default: the first)");
  adopt->add_option("--cluster", o->adopt.cluster, "Name of the cluster")->capture_default_str();
  adopt->add_option("--key", o->adopt.keys,
                    "TABLE=COLUMN[,COLUMN], or COLUMN for every table that has it");
  adopt->add_option("--function", o->adopt.function, "Key function (default: found out)");
  adopt->add_option("--params", o->adopt.params, "Its parameters, as JSON")->capture_default_str();
  adopt->add_option("--keyspace", o->adopt.keyspace, "Name of the keyspace");
  adopt->add_option("--reference", o->adopt.reference, "Table that is the same on every shard");
  adopt->add_option("--single", o->adopt.single, "Table of which only home's rows count");
  adopt->add_option("--leave-out", o->adopt.leave_out, "Table that stays out of the cluster");
  adopt->add_option("--verify", o->verify, "How many rows to check: sample or all")
      ->check(CLI::IsMember({"sample", "all"}))
      ->capture_default_str();
  adopt->add_option("--sample", o->adopt.sample, "Rows of a sample, for each table and shard")
      ->check(CLI::Range(10, 10'000'000))
      ->capture_default_str();
  adopt
      ->add_option("--slots", o->adopt.slots,
                   "About how many slots to make of h mod N, so that parts can be moved later")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  adopt->add_flag("--yes", o->yes, "Write the catalog");
  adopt->add_flag("--json", o->json, "Report as JSON");
  adopt->callback([o, &status] { status = run(*o); });
}

}  // namespace shoal::surface
