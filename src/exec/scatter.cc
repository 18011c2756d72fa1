// One text on several shards, their rows merged into one answer.
#include <charconv>

#include "exec/describe.h"
#include "exec/fan.h"
#include "exec/nodes.h"
#include "exec/rows.h"
#include "exec/statement.h"
#include "wire/backend.h"

namespace shoal::exec {
namespace {

// Columns of the rows that shards send. With `output` and no `combine` the plan names every column
// that it needs in output or order, and the text has no others behind them.
std::size_t shard_columns(const plan::Merge& merge, std::size_t visible) {
  if (!merge.combine.empty()) return merge.combine.size();
  if (merge.output.empty()) return visible + static_cast<std::size_t>(merge.hidden_columns);
  int last = 0;
  for (int column : merge.output) last = std::max(last, column);
  for (const plan::SortKey& key : merge.order) last = std::max(last, key.column);
  return static_cast<std::size_t>(last) + 1;
}

std::vector<std::uint32_t> shard_types(const plan::Merge& merge, const Description& description,
                                       std::size_t columns) {
  std::vector<std::uint32_t> types(columns);
  for (std::size_t i = 0; i < description.column_types.size(); ++i) {
    const std::size_t at = merge.output.empty() ? i : static_cast<std::size_t>(merge.output[i]);
    if (at < columns) types[at] = description.column_types[i];
  }
  return types;
}

using Connections = std::vector<backend::Connection*>;

void send_to(Run run, const plan::Scatter& scatter, const Connections& all,
             const ExecuteOptions& options) {
  for (backend::Connection* c : all) {
    append_execution(*c, make_statement(scatter.text, run.request.bound), options);
    append_sync(*c);
    c->send();
  }
}

io::Task<Result<std::string>> pass_rows(Run run, const plan::Scatter& scatter) {
  ExecuteOptions options;
  options.results = run.request.bound.result_formats;
  options.describe = !run.request.description;
  Result<Connections> sent = co_await enter_all(run, scatter.shards, scatter.writes);
  if (!sent) co_return sent.error();
  send_to(run, scatter, *sent, options);
  PassingRows rows(run);
  if (scatter.tag == plan::Scatter::TagRule::kFirst) rows.take_first_tag_only();
  Fan fan(run.transaction, rows, run.output);
  if (!scatter.text.sql.empty()) fan.drop_error_fields("P");
  for (backend::Connection* c : *sent) fan.add(c);
  SHOAL_CO_TRY(co_await fan.run());
  co_return rows.tag().text();
}

Answer no_shard() {
  co_return make_error("XX000", "a plan over no shard at all");
}

// The fan's handler needs the fan, and the fan its handler: this is both.
struct Merging {
  Merging(Run run, merge::Merger merger)
      : rows(run, fan, std::move(merger)), fan(run.transaction, rows, run.output) {}
  MergingRows rows;
  Fan fan;
};

// A source within another plan comes without the description of its columns: a shard has it.
io::Task<Result<DescriptionPtr>> own_description(Run run, const plan::Scatter& scatter,
                                                 backend::Connection& c) {
  const ShardStatement statement = make_statement(scatter.text, run.request.bound);
  Result<Description> shard = co_await describe_on(c, statement.sql, statement.types);
  if (!shard) co_return shard.error();
  Result<Description> visible = visible_part(*shard, scatter.merge);
  if (!visible) co_return visible.error();
  co_return DescriptionPtr(std::make_shared<const Description>(std::move(*visible)));
}

io::Task<Result<std::string>> merge_rows(Run run, const plan::Scatter& scatter) {
  Result<Connections> sent = co_await enter_all(run, scatter.shards, scatter.writes);
  if (!sent) co_return sent.error();
  DescriptionPtr description = run.request.description;
  if (!description) {
    Result<DescriptionPtr> own = co_await own_description(run, scatter, *sent->front());
    if (!own) co_return own.error();
    description = std::move(*own);
  }
  const std::size_t visible = description->column_types.size();
  const std::size_t columns = shard_columns(scatter.merge, visible);
  merge::RowShape shape;
  shape.client = column_formats(run.request.bound.result_formats, visible);
  shape.shard = merge::shard_formats(scatter.merge, columns, shape.client);
  shape.types = shard_types(scatter.merge, *description, columns);
  ExecuteOptions options;
  options.results = shape.shard;
  Result<merge::Merger> merger = merge::Merger::make(scatter.merge, scatter.shards.size(),
                                                     std::move(shape), run.limits().group_bytes);
  if (!merger) {
    for (backend::Connection* c : *sent) c->send();
    co_return merger.error();
  }
  send_to(run, scatter, *sent, options);
  Merging merging(run, std::move(*merger));
  merging.rows.heading().set_description(std::move(description));
  if (!scatter.text.sql.empty()) merging.fan.drop_error_fields("P");
  for (backend::Connection* c : *sent) merging.fan.add(c);
  SHOAL_CO_TRY(co_await merging.fan.run());
  TagSum& tag = merging.rows.tag();
  tag.set_rows(merging.rows.rows());
  co_return tag.text();
}

// Home's transaction says what time it is, in microseconds since 2000: the same for every statement
// of it.
io::Task<Result<std::string>> moment_of(Run run) {
  Result<backend::Connection*> home = co_await run.transaction.use(run.request.snapshot.home);
  if (!home) co_return home.error();
  Result<backend::TextRows> now = co_await (*home)->query(
      "SELECT (EXTRACT(epoch FROM pg_catalog.now()) * 1000000)::pg_catalog.int8 - "
      "946684800000000");
  if (!now) co_return now.error();
  std::int64_t micros = 0;
  if (now->rows.size() != 1 || now->rows[0].size() != 1 || !now->rows[0][0] ||
      std::from_chars(now->rows[0][0]->data(), now->rows[0][0]->data() + now->rows[0][0]->size(),
                      micros)
              .ec != std::errc())
    co_return make_error("XX000", "home does not say what time it is");
  std::string bytes;
  wire::append_u32(bytes, static_cast<std::uint32_t>(static_cast<std::uint64_t>(micros) >> 32));
  wire::append_u32(bytes, static_cast<std::uint32_t>(micros));
  co_return bytes;
}

Answer run_with_moment(Run run, const plan::Scatter& scatter) {
  Result<std::string> moment = co_await moment_of(run);
  if (!moment) co_return moment.error();
  const Bound bound = with_moment(run.request.bound, *moment);
  const RunRequest request{
      run.request.plan, bound, run.request.description, run.request.snapshot, {}};
  const Run inner{run.transaction, request, run.output};
  if (merge::is_concatenation(scatter.merge)) co_return co_await pass_rows(inner, scatter);
  co_return co_await merge_rows(inner, scatter);
}

}  // namespace

io::Task<Result<backend::Connection*>> enter(Run run, ShardId shard, bool writes) {
  Result<backend::Connection*> c = co_await run.transaction.use(shard);
  if (!c) co_return c.error();
  if (run.request.plan.user_code) (*c)->user_code = true;
  if (writes || run.request.plan.writes) run.transaction.mark_wrote(shard);
  co_return *c;
}

io::Task<Result<Connections>> enter_all(Run run, std::vector<ShardId> shards, bool writes) {
  Connections all;
  for (ShardId shard : shards) {
    Result<backend::Connection*> c = co_await enter(run, shard, writes);
    if (!c) {
      // BEGIN may wait in the buffers of those that are taken: its answer must come one day.
      for (backend::Connection* taken : all) taken->send();
      co_return c.error();
    }
    all.push_back(*c);
  }
  co_return std::move(all);
}

Answer run_scatter(Run run, const plan::Scatter& scatter) {
  if (scatter.shards.empty()) return no_shard();
  const auto& params = scatter.text.params;
  if (std::find(params.begin(), params.end(), 0) != params.end())
    return run_with_moment(run, scatter);
  // A merge over one shard still cuts OFFSET and drops hidden columns.
  if (merge::is_concatenation(scatter.merge)) return pass_rows(run, scatter);
  return merge_rows(run, scatter);
}

}  // namespace shoal::exec
