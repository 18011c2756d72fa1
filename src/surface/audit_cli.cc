// Options of shoal audit, and its report for people and for programs.
#include "surface/audit_cli.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <cstdlib>

#include "control/audit.h"
#include "surface/catalog_dsn.h"
#include "surface/print.h"
#include "surface/progress.h"

namespace shoal::surface {
namespace {

namespace json = boost::json;
using control::AuditCount;
using control::AuditFinding;
using control::AuditOptions;
using control::AuditReport;

constexpr const char* kHelp = R"(
Computes for every row the shard where its key belongs and lists rows that lie elsewhere. It reads
the shards themselves, all at once; --rate keeps it gentle. Ctrl-C stops it, --resume goes on.

--also names a server that is no shard, on which an application left rows (the "default" database of
many frameworks): all rows of sharded tables there are misplaced.

--repair moves misplaced rows to where they belong, key by key, with the rows of all tables that
foreign keys connect, in transactions over both servers: a kill at any point neither loses nor
doubles a row. Rows that are at their right place already are removed from the wrong one; rows that
differ from one there under the same primary key are listed and left.

Exit status: 0 every row is in place, 1 an error, 2 some are not, 3 stopped.)";

struct Options {
  AuditOptions audit;
  bool json = false;
};

std::atomic<bool> stopped{false};

void on_signal(int) {
  stopped = true;
}

std::vector<std::pair<std::string, std::uint64_t>> fields(const AuditCount& c) {
  return {{"rows", c.rows},
          {"misplaced", c.misplaced},
          {"duplicates", c.duplicates},
          {"conflicts", c.conflicts},
          {"without_key", c.without_key},
          {"without_place", c.without_place}};
}

bool is_clean(const AuditReport& report) {
  const AuditCount all = report.total();
  return report.left == 0 && all.without_key + all.without_place == 0 &&
         report.copies_differ.empty() &&
         (all.misplaced == 0 || all.misplaced <= report.moved + report.removed);
}

std::string where_it_belongs(const AuditFinding& f) {
  if (f.belongs.empty()) return "no shard owns this key";
  std::string out = "belong on " + f.belongs;
  if (f.count.duplicates > 0) out += fmt::format(", {} are there already", f.count.duplicates);
  if (f.count.conflicts > 0) out += fmt::format(", {} differ from rows there", f.count.conflicts);
  return out;
}

void print_people(const AuditReport& report, const AuditOptions& options) {
  Sheet sheet{{"table", "shard"}, {}};
  for (const auto& [name, value] : fields({})) sheet.columns.push_back(name);
  for (const auto& [at, count] : report.counts) {
    sheet.rows.push_back({at.first, at.second});
    for (const auto& [name, value] : fields(count)) sheet.rows.back().push_back(grouped(value));
  }
  fmt::print("{}", print_aligned(sheet));
  if (!report.findings.empty()) fmt::print("\nMisplaced rows, by key\n");
  for (const AuditFinding& f : report.findings) {
    fmt::print("  {} key {}: {} on {} {}{}\n", f.table, f.key, grouped(f.count.rows), f.shard,
               where_it_belongs(f), f.state.empty() ? "" : " (" + f.state + ")");
  }
  if (report.keys > report.findings.size()) {
    fmt::print("  ... and {} more: SELECT * FROM shoal.audit_finding WHERE job = {}\n",
               grouped(report.keys - report.findings.size()), report.job);
  }
  if (!report.copies_differ.empty()) fmt::print("\nReference tables whose copies differ\n");
  for (const std::string& text : report.copies_differ) fmt::print("  {}\n", text);
  const AuditCount all = report.total();
  fmt::print("\n{} rows audited, {} misplaced", grouped(all.rows),
             grouped(all.misplaced + all.without_place));
  if (options.repair) {
    fmt::print("; {} moved, {} removed that were there already, {} left", grouped(report.moved),
               grouped(report.removed), grouped(report.left));
  } else if (all.misplaced > 0) {
    fmt::print("; shoal audit --repair moves them");
  }
  fmt::print("\n");
  if (!report.finished) fmt::print("Stopped: shoal audit --resume goes on from here.\n");
}

json::object count_json(const AuditCount& count) {
  json::object out;
  for (const auto& [name, value] : fields(count)) out[name] = value;
  return out;
}

void print_program(const AuditReport& report) {
  json::array tables, findings;
  for (const auto& [at, count] : report.counts) {
    json::object row = count_json(count);
    row["table"] = at.first;
    row["shard"] = at.second;
    tables.push_back(std::move(row));
  }
  for (const AuditFinding& f : report.findings) {
    findings.push_back(json::object{{"table", f.table},
                                    {"shard", f.shard},
                                    {"key", f.key},
                                    {"belongs", f.belongs},
                                    {"rows", f.count.rows},
                                    {"duplicates", f.count.duplicates},
                                    {"conflicts", f.count.conflicts},
                                    {"state", f.state}});
  }
  const json::object out{
      {"job", report.job},
      {"finished", report.finished},
      {"total", count_json(report.total())},
      {"tables", tables},
      {"keys", report.keys},
      {"findings", findings},
      {"copies_differ", json::array(report.copies_differ.begin(), report.copies_differ.end())},
      {"moved", report.moved},
      {"removed", report.removed},
      {"left", report.left}};
  fmt::print("{}\n", json::serialize(out));
}

int run(Options options) {
  const auto dsn = catalog_dsn(options.audit.catalog_dsn);
  if (!dsn) return print_error(dsn.error());
  options.audit.catalog_dsn = *dsn;
  options.audit.stop = &stopped;
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  ProgressLine line(ProgressLine::style_for(options.json));
  const auto report =
      control::run_audit(options.audit, [&](const std::string& what, std::uint64_t done,
                                            std::uint64_t total) { line.show(what, done, total); });
  line.finish();
  if (!report) return print_error(report.error());
  if (options.json)
    print_program(*report);
  else
    print_people(*report, options.audit);
  if (!report->finished) return 3;
  return is_clean(*report) ? 0 : 2;
}

}  // namespace

void add_audit_command(CLI::App& app, int& status) {
  auto o = std::make_shared<Options>();
  CLI::App* audit = app.add_subcommand("audit", "List rows that are not on their key's shard");
  audit->footer(kHelp);
  audit->add_option("tables", o->audit.tables, "Tables (default: all sharded ones)");
  add_catalog_option(*audit, o->audit.catalog_dsn);
  audit->add_option("--also", o->audit.also,
                    "DSN or NAME=DSN of a server with rows that belong on shards");
  audit->add_option("--rate", o->audit.rate, "Rows a second to read on each server (0: no limit)")
      ->capture_default_str();
  audit->add_option("--show", o->audit.shown, "How many misplaced keys to list")
      ->capture_default_str();
  audit->add_flag("--resume", o->audit.resume, "Go on with the audit that was stopped");
  audit->add_flag("--repair", o->audit.repair, "Move misplaced rows to where they belong");
  audit->add_flag("--json", o->json, "Report as JSON");
  audit->callback([o, &status] { status = run(*o); });
}

}  // namespace shoal::surface
