// COPY table FROM STDIN over several shards: rows are cut out of the client's data, their key
// fields read, and their bytes passed on to the shard that owns them (copies of a reference table:
// to all).
#include "exec/ask.h"
#include "exec/borrow.h"
#include "exec/copy_fill.h"
#include "exec/copy_format.h"
#include "exec/copy_keys.h"
#include "exec/copy_rows.h"
#include "exec/copy_streams.h"
#include "exec/nodes.h"

namespace shoal::exec {
namespace {

constexpr std::size_t kMostAsked = 10'000;

class Router final : public CopyRouter {
 public:
  Router(Transaction& transaction, const RunRequest& request, const plan::CopyIn& plan,
         const sql::Copy& statement)
      : transaction_(transaction),
        plan_(plan),
        statement_(statement),
        snapshot_(request.snapshot),
        streams_(transaction, request.plan.user_code) {}

  io::Task<Result<>> start(Run run);
  std::string response() const override { return response_; }
  io::Task<Result<>> data(std::string_view bytes) override;
  io::Task<Result<std::string>> done() override;
  io::Task<> fail(std::string reason) override;

 private:
  io::Task<Result<>> open_first(Run run);
  io::Task<Result<>> open_copies();
  io::Task<Result<>> take(std::string_view bytes, bool last);
  bool put_without_key(const CopyRow& row);
  Result<ShardId> place(const CopyRow& row);
  io::Task<Result<ShardId>> ask_home(const CopyRow& row);
  io::Task<Result<backend::Connection*>> asker();
  io::Task<Result<>> pass(const CopyRow& row);
  io::Task<Result<>> pass_waiting();
  void put(std::size_t stream, std::string_view row);
  io::Task<Error> give_up(Error error);
  std::string copy_text(bool header) const {
    const catalog::Table* table = snapshot_.table(plan_.table);
    return copy_from_text(statement_, table->schema, table->name, plan_.columns, header);
  }

  Transaction& transaction_;
  const plan::CopyIn& plan_;
  const sql::Copy& statement_;
  const catalog::Snapshot& snapshot_;
  CopyStreams streams_;
  CopyFormat format_;
  std::optional<RowPlacer> placer_;
  std::unique_ptr<CopyRows> rows_;
  std::string response_;
  std::optional<Borrowed> asker_;
  std::unordered_map<std::string, ShardId> asked_;  // what ask_home() found out
  std::string rest_;                                // the beginning of a row whose end has not come
  std::optional<ShardId> scope_shard_;              // of SET shoal.key
  CopyFill fill_;
  struct Waiting {
    std::string_view bytes;
    std::vector<std::string> key;
    int null_key;
  };
  std::vector<Waiting> waiting_;  // rows of the data at hand that home fills
  std::string filled_;
  wire::OidColumns types_;  // of the columns of binary data
  bool over_ = false;
};

io::Task<Result<>> Router::start(Run run) {
  const catalog::Table* table = snapshot_.table(plan_.table);
  if (!table || plan_.shards.empty())
    co_return make_error("XX000", "COPY into a table that is not known");
  Result<CopyFormat> format =
      read_copy_format(statement_, plan_.columns, snapshot_.server_version_num);
  if (!format) co_return format.error();
  format_ = *std::move(format);
  if (format_.kind == CopyFormat::Kind::kBinary) {
    for (const std::string& name : plan_.columns) {
      const catalog::Column* column = table->column(std::string_view(name));
      types_.push_back(column ? column->type.value : 0);
    }
  }
  Result<CopyFill> fill = CopyFill::make(plan_, format_);
  if (!fill) co_return fill.error();
  fill_ = *std::move(fill);
  SHOAL_CO_TRY(co_await fill_.compute_constants(transaction_, snapshot_.home));
  if (!plan_.reference) {
    for (int field : plan_.key_fields) {
      if (field < 0)
        co_return refuse(Refusal::kInsertSource,
                         "COPY with a column list that lacks the shard key");
    }
    Result<RowPlacer> placer = RowPlacer::make(snapshot_, plan_.table, plan_.keyspace);
    if (!placer) co_return placer.error();
    placer_ = *std::move(placer);
  } else {
    SHOAL_CO_TRY(co_await lock_reference(run, plan_.table));
  }
  co_return co_await open_first(run);
}

// One shard is asked at once: it judges the options, the columns and the rights, and reads the
// header line.
io::Task<Result<>> Router::open_first(Run) {
  Result<std::size_t> first = co_await streams_.open(plan_.shards.front(), copy_text(true));
  if (!first) co_return first.error();
  Result<std::string> response = co_await streams_.wait_open(*first);
  if (!response) co_return co_await give_up(response.error());
  response_ = *std::move(response);
  const backend::Connection& c = *transaction_.enlisted(plan_.shards.front());
  auto encoding = c.parameters().find("client_encoding");
  const std::string client = !format_.encoding.empty()          ? format_.encoding
                             : encoding == c.parameters().end() ? ""
                                                                : encoding->second;
  if (format_.kind != CopyFormat::Kind::kBinary && is_client_only_encoding(client)) {
    co_return co_await give_up(refuse(Refusal::kInsertSource,
                                      fmt::format("COPY data in encoding {}", client),
                                      "convert the file to the server's encoding"));
  }
  if (placer_) placer_->set_settings(c, snapshot_, format_.encoding);
  if (placer_ && plan_.shards.size() == 1) placer_->keep_to_shard(plan_.shards.front());
  if (placer_ && plan_.scope) {
    if (Result<ShardId> kept = placer_->keep_to_key(*plan_.scope); !kept)
      co_return co_await give_up(kept.error());
    else
      scope_shard_ = *kept;
  }
  rows_ = make_copy_rows(format_, fill_.keys_in_data(), fill_.columns_in_data());
  if (plan_.reference) co_return co_await open_copies();
  co_return Result<>();
}

io::Task<Result<>> Router::open_copies() {
  for (ShardId shard : plan_.shards) {
    if (streams_.find(shard)) continue;
    if (auto opened = co_await streams_.open(shard, copy_text(false), rows_->prologue()); !opened)
      co_return co_await give_up(opened.error());
  }
  co_return Result<>();
}

// Ends everything with an error; what a shard found in the rows before comes first, as it does when
// one server reads them.
io::Task<Error> Router::give_up(Error error) {
  over_ = true;
  std::optional<Error> earlier = co_await streams_.abort("the COPY failed elsewhere");
  co_return earlier ? std::move(*earlier) : std::move(error);
}

// Puts away what does not go by key; false: it does.
bool Router::put_without_key(const CopyRow& row) {
  if (row.kind == CopyRow::Kind::kHeader) {
    streams_.append(0, row.bytes);
    return true;
  }
  if (row.kind != CopyRow::Kind::kShort) return false;
  streams_.append(0, row.bytes);  // any shard will say what is wrong with it
  streams_.mark_row(0);
  return true;
}

Result<ShardId> Router::place(const CopyRow& row) {
  if (scope_shard_ && fill_.keys_in_data().empty()) return *scope_shard_;
  if (row.null_key >= 0) return placer_->null_error(static_cast<std::size_t>(row.null_key));
  return format_.kind == CopyFormat::Kind::kBinary ? placer_->place_binary(row.key)
                                                   : placer_->place_text(row.key);
}

// Home, on a connection beside the transaction's, which may be in the middle of the COPY.
io::Task<Result<backend::Connection*>> Router::asker() {
  if (!asker_) {
    Result<Borrowed> c = co_await Borrowed::take(transaction_, snapshot_.home);
    if (!c) co_return c.error();
    asker_.emplace(std::move(*c));
  }
  co_return &**asker_;
}

// A spelling that only a server reads ("yesterday", a time zone by name): home does, under the
// session's settings.
io::Task<Result<ShardId>> Router::ask_home(const CopyRow& row) {
  std::string all;
  for (std::string_view field : row.key) all.append(field).push_back('\0');
  if (auto known = asked_.find(all); known != asked_.end()) co_return known->second;
  Result<backend::Connection*> c = co_await asker();
  if (!c) co_return c.error();
  ShardStatement question;
  std::string list;
  for (std::size_t i = 0; i < row.key.size(); ++i) {
    list += fmt::format("{}${}", i == 0 ? "" : ", ", i + 1);
    question.types.push_back(placer_->column(i).type_oid);
    question.formats.push_back(wire::Format::kText);
    question.values.push_back(row.key[i]);
  }
  const std::string sql = "SELECT " + list;
  question.sql = sql;
  Result<OwnedValues> answer = co_await ask_row(**c, question);
  if (!answer) co_return answer.error();
  std::vector<std::string_view> fields;
  for (const std::optional<std::string>& value : *answer)
    fields.push_back(value ? std::string_view(*value) : std::string_view());
  Result<ShardId> shard = placer_->place_binary(fields);
  if (!shard) co_return shard.error();
  if (asked_.size() >= kMostAsked) asked_.clear();
  asked_.emplace(std::move(all), *shard);
  co_return *shard;
}

// Binary data go in the oids of the stream's shard. A tuple is built like a DataRow; what is wrong
// with it the server says.
void Router::put(std::size_t stream, std::string_view row) {
  const wire::OidMap* map = types_.empty() ? nullptr : streams_.oids(stream);
  if (fill_.empty() && !map) {
    streams_.append(stream, row);
  } else {
    filled_.clear();
    if (fill_.empty())
      filled_ = row;
    else
      fill_.append(filled_, format_, row);
    if (map) (void)wire::map_data_row(filled_, types_, map->to_shard);
    streams_.append(stream, filled_);
  }
  streams_.mark_row(stream);
}

io::Task<Result<>> Router::pass(const CopyRow& row) {
  if (plan_.reference) {
    for (std::size_t i = 0; i < streams_.size(); ++i) put(i, row.bytes);
    co_return Result<>();
  }
  Result<ShardId> shard = place(row);
  if (!shard && placer_->server_can_read(shard.error())) shard = co_await ask_home(row);
  if (!shard) co_return shard.error();
  std::optional<std::size_t> stream = streams_.find(*shard);
  if (!stream) {
    Result<std::size_t> opened =
        co_await streams_.open(*shard, copy_text(false), rows_->prologue());
    if (!opened) co_return opened.error();
    stream = *opened;
  }
  put(*stream, row.bytes);
  co_return Result<>();
}

// Home gives as many values as there are rows: a sequence has no gaps.
io::Task<Result<>> Router::pass_waiting() {
  if (waiting_.empty()) co_return Result<>();
  Result<backend::Connection*> home = co_await asker();
  if (!home) co_return home.error();
  SHOAL_CO_TRY(co_await fill_.draw(**home, waiting_.size()));
  for (const Waiting& waiting : waiting_) {
    CopyRow row;
    row.bytes = waiting.bytes;
    row.null_key = waiting.null_key;
    row.key = fill_.key({waiting.key.begin(), waiting.key.end()});
    SHOAL_CO_TRY(co_await pass(row));
    fill_.next_row();
  }
  waiting_.clear();
  co_return Result<>();
}

io::Task<Result<>> Router::take(std::string_view bytes, bool last) {
  const bool continued = !rest_.empty();
  if (continued) {
    rest_.append(bytes);
    bytes = rest_;
  }
  if (bytes.size() > transaction_.context().limits.message_bytes)
    co_return make_error("54000", "a row of COPY data is too long");
  rows_->set_input(bytes, last);
  CopyRow row;
  for (;;) {
    Result<bool> found = rows_->next(row);
    if (!found) co_return found.error();
    if (!*found) break;
    if (put_without_key(row)) continue;
    if (fill_.draws())
      waiting_.push_back({row.bytes, {row.key.begin(), row.key.end()}, row.null_key});
    else
      SHOAL_CO_TRY(co_await pass(row));
  }
  SHOAL_CO_TRY(co_await pass_waiting());
  const std::size_t consumed = rows_->consumed();
  if (continued)
    rest_.erase(0, consumed);
  else
    rest_.assign(bytes.substr(consumed));
  co_return Result<>();
}

io::Task<Result<>> Router::data(std::string_view bytes) {
  if (over_) co_return Result<>();
  Result<> outcome = co_await take(bytes, false);
  if (outcome) outcome = co_await streams_.flow();
  if (!outcome) co_return co_await give_up(outcome.error());
  co_return Result<>();
}

io::Task<Result<std::string>> Router::done() {
  if (over_) co_return make_error("XX000", "the COPY has ended already");
  if (Result<> rest = co_await take({}, true); !rest) co_return co_await give_up(rest.error());
  over_ = true;
  Result<std::uint64_t> rows = co_await streams_.finish(plan_.reference, rows_->epilogue());
  if (!rows) co_return rows.error();
  co_return fmt::format("COPY {}", *rows);
}

io::Task<> Router::fail(std::string reason) {
  if (std::exchange(over_, true)) co_return;
  (void)co_await streams_.abort(std::move(reason));
}

}  // namespace

io::Task<Result<std::unique_ptr<CopyRouter>>> CopyRouter::start(Transaction& transaction,
                                                                RunRequest request,
                                                                const sql::Copy& statement) {
  const auto* plan = std::get_if<plan::CopyIn>(&request.plan.node);
  if (!plan) co_return make_error("XX000", "not a COPY FROM STDIN");
  auto router = std::make_unique<Router>(transaction, request, *plan, statement);
  class Nowhere : public Output {
   public:
    void row_description(std::string_view) override {}
    void row(std::string_view) override {}
    void frame(std::string_view) override {}
    io::Task<Result<>> flow() override { co_return Result<>(); }
  } nowhere;
  if (Result<> started = co_await router->start(Run{transaction, request, nowhere}); !started)
    co_return started.error();
  co_return std::unique_ptr<CopyRouter>(std::move(router));
}

}  // namespace shoal::exec
