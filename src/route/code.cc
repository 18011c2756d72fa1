// Judging the code of users' functions by its words.
#include "route/code.h"

#include <algorithm>
#include <array>
#include <set>

#include "route/functions.h"
#include "sql/words.h"

namespace shoal::route {
namespace {

using catalog::Function;
using catalog::Table;
using catalog::TableKind;
using catalog::Volatility;
using sql::CodeWord;

constexpr int kMaxDepth = 8;

// Statements made at run time, DDL, transaction control, files: out of sight.
constexpr std::array<std::string_view, 17> kOutOfSight{
    "execute", "create", "drop",     "alter",   "copy",    "refresh", "commit", "rollback", "load",
    "prepare", "import", "reassign", "cluster", "reindex", "vacuum",  "grant",  "revoke"};
constexpr std::array<std::string_view, 6> kWriting{"insert", "update",   "delete",
                                                   "merge",  "truncate", "lock"};
// What may stand before a statement of SQL or PL/pgSQL.
constexpr std::array<std::string_view, 6> kBeforeStatement{";",    "begin", "then",
                                                           "else", "loop",  "atomic"};
constexpr std::array<std::string_view, 4> kSessionLocks{
    "pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared"};
constexpr std::array<std::string_view, 5> kMomentWords{
    "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"};
// Functions in C of well-known extensions that touch no table.
constexpr std::array<std::string_view, 7> kTouchNothing{
    "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "gen_salt",
    "gen_random_bytes", "gen_random_uuid",    "unaccent"};

template <class List>
bool among(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

class CodeReader {
 public:
  explicit CodeReader(const catalog::Snapshot& snapshot) : snapshot_(snapshot) {}

  void body(std::string_view text);
  void function(const Function& f);
  void functions(const std::vector<Oid>& oids);
  void relation(const Table& t, bool written);
  void unproved(std::string why) {
    if (out.unproved.empty()) out.unproved = std::move(why);
  }

  Reach out;

 private:
  void named_relations(std::string_view name, bool qualified_catalog, bool writing);
  void calls(std::string_view name, bool only_of_rows);
  void operators(std::string_view run);
  void leaves(std::string what) {
    if (out.session_state.empty()) out.session_state = std::move(what);
  }

  const catalog::Snapshot& snapshot_;
  std::set<std::uint32_t> seen_;
  int depth_ = 0;
};

void CodeReader::functions(const std::vector<Oid>& oids) {
  for (const Oid oid : oids) {
    if (const Function* f = snapshot_.user_function(oid)) function(*f);
    // What the router does not know yet proves nothing.
    else if (oid.value >= 16384)
      unproved("a function that is not known yet");
  }
}

void CodeReader::function(const Function& f) {
  if (f.volatility == Volatility::kImmutable || !seen_.insert(f.oid.value).second) return;
  if (f.declared == "local") {
    if (f.volatility == Volatility::kVolatile)
      out.effects.row_volatile = out.effects.home_action = true;
    return;
  }
  if (f.language == "c" && among(kTouchNothing, f.name)) {
    out.effects.row_volatile |= f.volatility == Volatility::kVolatile;
    return;
  }
  if ((f.language != "sql" && f.language != "plpgsql") || f.prokind == 'a') {
    return unproved("function " + f.name + " is not immutable and was not declared");
  }
  if (depth_ >= kMaxDepth) return unproved("function " + f.name + " calls too many others");
  ++depth_;
  const bool known = out.unproved.empty(), nothing = out.session_state.empty();
  body(f.body);
  if (nothing && !out.session_state.empty())
    out.session_state = "function " + f.name + ": " + out.session_state;
  if (known && !out.unproved.empty()) out.unproved = "function " + f.name + ": " + out.unproved;
  --depth_;
}

// A relation that code names. Reading a reference table gives the same on every shard.
void CodeReader::relation(const Table& t, bool written) {
  if (t.kind == TableKind::kSharded) return unproved("it may read sharded table " + t.name);
  if (std::find(out.tables.begin(), out.tables.end(), &t) == out.tables.end())
    out.tables.push_back(&t);
  else if (!written)
    return;
  functions(t.policy_functions);
  for (const Oid oid : t.policy_tables) {
    const Table* other = snapshot_.table(oid);
    if (other != nullptr &&
        std::find(out.tables.begin(), out.tables.end(), other) == out.tables.end())
      relation(*other, false);
  }
  if (t.relkind == 'v' || t.relkind == 'm') {
    if (written) return unproved("it may write through view " + t.name);
    if (depth_ >= kMaxDepth) return unproved("view " + t.name + " is nested too deeply");
    ++depth_;
    body(t.view_definition);
    --depth_;
    return;
  }
  if (t.relkind == 'f') return unproved("it names foreign table " + t.name);
  if (written && t.kind == TableKind::kReference)
    return unproved("it may write reference table " + t.name);
  if (written && t.has_rules) return unproved("table " + t.name + " has rules");
  if (written) {
    functions(t.trigger_functions);
    functions(t.check_functions);
  }
  if (t.kind == TableKind::kSingle) out.effects.home = out.effects.home_action = true;
}

void CodeReader::named_relations(std::string_view name, bool qualified_catalog, bool writing) {
  for (const std::string& schema : snapshot_.schemas) {
    const bool views = schema == "information_schema";
    if (views && !qualified_catalog) continue;  // names like "tables" and "columns"
    const Table* t = snapshot_.table(schema, name);
    if (t == nullptr) continue;
    if (t->kind == TableKind::kCatalog) {
      if (counts_one_server(name)) unproved("it may read " + std::string(name));
      out.effects.home = out.effects.home_action = true;
    } else {
      relation(*t, writing);
    }
  }
}

void CodeReader::calls(std::string_view name, bool only_of_rows) {
  auto worst = Volatility::kImmutable;
  bool builtin = false;
  const auto [first, last] = snapshot_.functions.equal_range(std::string(name));
  for (auto it = first; it != last; ++it) {
    const Function& f = *it->second;
    if (f.prokind == 'o') continue;
    if (!f.builtin()) {
      if (!only_of_rows || f.args == 1) function(f);
      continue;
    }
    builtin = true;
    if (f.volatility == Volatility::kVolatile || worst == Volatility::kImmutable)
      worst = f.volatility;
  }
  if (!builtin || only_of_rows) return;
  if (describes_one_server(name)) unproved(std::string(name) + "() describes one server");
  out.effects.add(effects_of_builtin(name, worst));
}

// A run of operator characters may hold several operators ("=-"): any part of it may be one.
void CodeReader::operators(std::string_view run) {
  for (std::size_t begin = 0; begin < run.size(); ++begin) {
    for (std::size_t size = 1; begin + size <= run.size(); ++size) {
      const auto [first, last] =
          snapshot_.functions.equal_range(std::string(run.substr(begin, size)));
      for (auto it = first; it != last; ++it) {
        if (it->second->prokind == 'o') function(*it->second);
      }
    }
  }
}

void CodeReader::body(std::string_view text) {
  const std::vector<CodeWord> words = sql::words_of(text);
  const bool writing = std::any_of(words.begin(), words.end(), [](const CodeWord& w) {
    return w.kind == CodeWord::Kind::kWord && among(kWriting, w.text);
  });
  const bool catalogs = std::any_of(words.begin(), words.end(), [](const CodeWord& w) {
    return w.name() && w.text == "information_schema";
  });
  for (std::size_t i = 0; i < words.size() && out.unproved.empty(); ++i) {
    const CodeWord& w = words[i];
    if (w.kind == CodeWord::Kind::kOdd) return unproved("its text is not understood");
    if (w.kind == CodeWord::Kind::kOperator) operators(w.text);
    if (!w.name()) continue;
    if (w.kind == CodeWord::Kind::kWord && !w.dotted) {
      if (among(kOutOfSight, w.text)) return unproved("it uses " + w.text);
      // ON CONFLICT DO NOTHING, or code in another language.
      std::string_view next;
      if (i + 1 < words.size()) next = words[i + 1].text;
      if (w.text == "do" && next != "nothing" && next != "update") return unproved("it uses DO");
      if (among(kMomentWords, w.text)) out.effects.moment = true;
      const bool first = i == 0 || among(kBeforeStatement, words[i - 1].text);
      if (first && (w.text == "set" || w.text == "reset")) leaves("it changes settings");
      if (first && w.text == "listen") leaves("it listens");
    }
    if (w.call && w.text == "set_config") leaves("it changes settings");
    if (w.call && among(kSessionLocks, w.text)) leaves("it takes locks of the session");
    named_relations(w.text, catalogs, writing);
    if (w.call || w.dotted) calls(w.text, !w.call);
  }
}

}  // namespace

Reach reach_of(const catalog::Function& f, const catalog::Snapshot& snapshot) {
  CodeReader reader(snapshot);
  reader.function(f);
  return std::move(reader.out);
}

Reach reach_of_reading(const catalog::Table& t, const catalog::Snapshot& snapshot) {
  CodeReader reader(snapshot);
  reader.functions(t.policy_functions);
  for (const Oid oid : t.policy_tables) {
    if (const catalog::Table* other = snapshot.table(oid))
      reader.relation(*other, false);
    else
      reader.unproved("its policy reads a table that is not known yet");
  }
  return std::move(reader.out);
}

Reach reach_of_writing(const catalog::Table& t, const catalog::Snapshot& snapshot) {
  CodeReader reader(snapshot);
  const bool single = t.kind == TableKind::kSingle;
  if (t.has_rules) reader.unproved("it has rules");
  if (single) reader.functions(t.trigger_functions);
  reader.functions(t.check_functions);
  for (const auto& c : t.columns) {
    if (single && !c.default_sql.empty()) reader.body(c.default_sql);
    const catalog::Type* type = snapshot.type(c.type);
    for (; type != nullptr && type->typtype == 'd'; type = snapshot.type(type->base))
      reader.functions(type->check_functions);
  }
  return std::move(reader.out);
}

Reach reach_of_text(std::string_view code, const catalog::Snapshot& snapshot) {
  CodeReader reader(snapshot);
  reader.body(code);
  return std::move(reader.out);
}

Reach reach_of_type(const catalog::Type& type, const catalog::Snapshot& snapshot) {
  CodeReader reader(snapshot);
  const catalog::Type* t = &type;
  for (; t != nullptr && t->typtype == 'd'; t = snapshot.type(t->base))
    reader.functions(t->check_functions);
  return std::move(reader.out);
}

}  // namespace shoal::route
