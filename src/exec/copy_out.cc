// COPY ... TO STDOUT over several shards: their rows as one stream with one header and one trailer.
// Servers send each row as a CopyData message of its own, and so the rows of all shards may follow
// each other as they come.
//   binary := signature[11] flags:u32 length:u32 extension (tuple)* -1:i16
#include "exec/fan.h"
#include "exec/nodes.h"
#include "exec/rows.h"
#include "exec/statement.h"
#include "sql/deparse.h"
#include "sql/parse.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace shoal::exec {
namespace {

constexpr std::string_view kTrailer("\xff\xff", 2);
constexpr std::size_t kSignature = 11;

// What rewrites the binary tuples of one shard; nothing where oids are home's.
struct Tuples {
  const wire::OidMap* map = nullptr;
  wire::OidColumns columns;
};

class CopiedRows : public Fan::Handler {
 public:
  CopiedRows(Run run, bool header, std::vector<Tuples> tuples)
      : run_(run), header_line_(header), tuples_(std::move(tuples)), seen_data_(tuples_.size()) {}

  Result<> on_frame(std::size_t branch, const wire::Frame& frame, std::uint32_t) override {
    if (frame.type == 'H') return on_begin(frame);
    if (frame.type == 'd') return on_data(branch, frame);
    if (frame.type == 'C') {
      Result<wire::CommandComplete> done = wire::decode_command_complete(frame.body);
      if (done) tag_.add(done->tag);
    }
    return {};
  }
  io::Task<Result<>> batch(std::size_t) override { return run_.output.flow(); }

  std::string finish() {
    if (binary_) send_data(kTrailer);
    std::string end;
    wire::append_copy_done(end);
    run_.output.frame(end);
    return tag_.text();
  }

 private:
  Result<> on_begin(const wire::Frame& frame) {
    Result<wire::CopyResponse> response = wire::decode_copy_response(frame.body);
    if (!response) return response.error();
    if (!begun_) run_.output.frame(frame.bytes);
    begun_ = true;
    binary_ = response->format == wire::Format::kBinary;
    return {};
  }

  Result<> on_data(std::size_t branch, const wire::Frame& frame) {
    std::string_view data = frame.body;
    const bool first = std::exchange(seen_data_[branch], 1) == 0;
    if (!binary_) {
      const bool is_header = first && header_line_;
      if (!is_header || !std::exchange(header_sent_, true)) run_.output.frame(frame.bytes);
      return {};
    }
    if (data == kTrailer) return {};
    if (first) return on_binary_header(branch, data);
    if (!tuples_[branch].map && header_.empty()) {
      run_.output.frame(frame.bytes);
      return {};
    }
    return send_tuple(branch, data);
  }

  // The first message holds the header and perhaps the first tuple, or the trailer at once.
  Result<> on_binary_header(std::size_t branch, std::string_view data) {
    wire::Cursor in(data);
    in.bytes(kSignature);
    in.u32();
    in.bytes(in.u32());
    if (!in.ok()) return make_error("08P01", "a shard sent a malformed binary COPY header");
    std::string_view rest = in.rest();
    std::string_view header = data.substr(0, data.size() - rest.size());
    if (!std::exchange(header_sent_, true)) header_ = header;
    if (rest.empty() || rest == kTrailer) return {};
    return send_tuple(branch, rest);
  }

  // A tuple is built like a DataRow.
  Result<> send_tuple(std::size_t branch, std::string_view data) {
    const Tuples& t = tuples_[branch];
    std::string tuple(data);
    if (t.map && !wire::map_data_row(tuple, t.columns, t.map->to_home))
      return make_error("08P01", "a shard sent a malformed tuple of binary COPY");
    send_data(tuple);
    return {};
  }

  // The header comes in one message with the first tuple, as PostgreSQL sends it: clients that
  // take each message for a row rely on it.
  void send_data(std::string_view data) {
    std::string frame;
    wire::append_copy_data(frame, std::exchange(header_, {}) + std::string(data));
    run_.output.frame(frame);
  }

  Run run_;
  bool header_line_;
  std::vector<Tuples> tuples_;   // by branch
  std::vector<char> seen_data_;  // by branch
  bool begun_ = false, binary_ = false, header_sent_ = false;
  std::string header_;  // of a binary COPY, until there is something behind it
  TagSum tag_;
};

bool is_binary(const sql::Copy& copy) {
  return std::any_of(copy.options.begin(), copy.options.end(), [](const auto& option) {
    return option.name == "format" && option.value == "binary";
  });
}

// A query with the columns that the COPY writes.
Result<std::string> query_of(const sql::Copy& copy, const catalog::Table* table) {
  if (copy.query) return sql::deparse_checked(*copy.query);
  if (!table) return make_error("XX000", "COPY of a table that is not known");
  std::string list;
  const auto add = [&](const std::string& name) {
    list += (list.empty() ? "" : ", ") + sql::quote_identifier(name);
  };
  for (const std::string& name : copy.columns) add(name);
  if (copy.columns.empty())
    for (const catalog::Column& column : table->columns)
      if (!column.generated) add(column.name);
  return fmt::format("SELECT {} FROM {}.{}", list, sql::quote_identifier(table->schema),
                     sql::quote_identifier(table->name));
}

// Home's types of the columns that binary data will have; none for text.
io::Task<Result<std::vector<std::uint32_t>>> binary_types(Run run) {
  const sql::ParseLimits limits{run.limits().statement_bytes, run.limits().sql_depth};
  std::vector<std::uint32_t> none;
  auto parsed = sql::parse(run.request.bound.text, limits);
  // A text that cannot be read alone was planned from its meaning, which is text's.
  if (!parsed || parsed->size() != 1) co_return none;
  const auto* copy = std::get_if<sql::Copy>(&parsed->front().node);
  if (!copy || !is_binary(*copy)) co_return none;
  const std::vector<Oid>& tables = run.request.plan.tables;
  const catalog::Table* table =
      tables.empty() ? nullptr : run.request.snapshot.table(tables.front());
  Result<std::string> query = query_of(*copy, table);
  if (!query) co_return query.error();
  const auto& settings = run.transaction.settings();
  const auto path = settings.find("search_path");
  std::string search_path;
  if (path != settings.end()) search_path = path->second;
  const bool inside = !run.transaction.idle();
  Result<DescriptionPtr> rows =
      co_await describe(run.transaction, *query, none, search_path, inside);
  if (!rows) co_return rows.error();
  co_return (*rows)->column_types;
}

std::vector<Tuples> tuples_of(const std::vector<backend::Connection*>& all,
                              const std::vector<std::uint32_t>& types) {
  std::vector<Tuples> out(all.size());
  for (std::size_t i = 0; i < all.size() && !types.empty(); ++i) {
    out[i].map = all[i]->oids();
    if (!out[i].map) continue;
    for (const std::uint32_t type : types)
      out[i].columns.push_back(out[i].map->to_shard.type(type).other);
  }
  return out;
}

}  // namespace

Answer run_copy_out(Run run, const plan::CopyOut& copy) {
  Result<std::vector<backend::Connection*>> all = co_await enter_all(run, copy.shards, false);
  if (!all) co_return all.error();
  std::vector<std::uint32_t> types;
  const bool mapped =
      std::any_of(all->begin(), all->end(), [](const auto* c) { return c->oids() != nullptr; });
  if (mapped) {
    auto known = co_await binary_types(run);
    if (!known) co_return known.error();
    types = std::move(*known);
  }
  CopiedRows rows(run, copy.header, tuples_of(*all, types));
  Fan fan(run.transaction, rows, run.output);
  if (!copy.text.sql.empty()) fan.drop_error_fields("P");
  for (backend::Connection* c : *all) {
    append_execution(*c, make_statement(copy.text, run.request.bound), {});
    append_sync(*c);
    c->send();
    fan.add(c);
  }
  SHOAL_CO_TRY(co_await fan.run());
  co_return rows.finish();
}

}  // namespace shoal::exec
