// Asking home what a statement's parameters and columns are.
#include "exec/describe.h"

#include "exec/borrow.h"
#include "exec/run.h"
#include "exec/statement.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace shoal::exec {
namespace {

constexpr std::size_t kMaxDescriptions = 10'000;

std::string cache_key(std::string_view text, const std::vector<std::uint32_t>& types,
                      std::string_view search_path) {
  std::string key(search_path);
  key += '\0';
  key.append(reinterpret_cast<const char*>(types.data()), types.size() * sizeof types[0]);
  key += '\0';
  key += text;
  return key;
}

Result<> take_frame(const wire::Frame& frame, Description& out) {
  if (frame.type == 't') {
    Result<wire::ParameterDescription> params = wire::decode_parameter_description(frame.body);
    if (!params) return params.error();
    out.param_types = params->types.to_vector();
  } else if (frame.type == 'T') {
    Result<wire::RowDescription> rows = wire::decode_row_description(frame.body);
    if (!rows) return rows.error();
    out.returns_rows = true;
    out.row_description = frame.bytes;
    for (const wire::Column& column : rows->columns) out.column_types.push_back(column.type_oid);
  }
  return {};
}

void remember(CoreContext& context, std::string key, DescriptionPtr description) {
  auto& cache = context.descriptions;
  if (cache.size() >= kMaxDescriptions) cache.clear();
  cache.emplace(std::move(key), std::move(description));
}

}  // namespace

io::Task<Result<Description>> describe_on(backend::Connection& c, std::string_view text,
                                          const std::vector<std::uint32_t>& types) {
  c.unnamed.clear();
  wire::append_parse(c.out(), "", text, types);
  c.pending().sent('P');
  wire::append_describe(c.out(), wire::Target::kStatement, "");
  c.pending().sent_describe(wire::Target::kStatement);
  append_sync(c);
  c.send();
  Description out;
  std::optional<Error> failure;
  while (!c.pending().all_answered()) {
    Result<wire::Frame> frame = co_await c.next();
    if (!frame) co_return frame.error();
    const auto verdict = c.pending().on(frame->type);
    if (verdict.action == wire::PendingResponses::Action::kViolation) {
      c.close();
      co_return violation_of(c);
    }
    if (frame->type == 'E' && !failure) failure = error_of_frame(c, *frame);
    if (Result<> taken = take_frame(*frame, out); !taken && !failure) failure = taken.error();
  }
  if (failure) co_return *failure;
  co_return std::move(out);
}

io::Task<Result<DescriptionPtr>> describe_cached(CoreContext& context, backend::Connection& c,
                                                 std::string_view text,
                                                 const std::vector<std::uint32_t>& types,
                                                 std::string_view search_path) {
  std::string key = cache_key(text, types, search_path);
  if (auto known = context.descriptions.find(key); known != context.descriptions.end())
    co_return known->second;
  Result<Description> fresh = co_await describe_on(c, text, types);
  if (!fresh) co_return fresh.error();
  auto description = std::make_shared<const Description>(std::move(*fresh));
  remember(context, std::move(key), description);
  co_return DescriptionPtr(std::move(description));
}

Result<Description> visible_part(const Description& shard, const plan::Merge& merge) {
  Result<wire::RowDescription> all =
      wire::decode_row_description(std::string_view(shard.row_description).substr(5));
  if (!all) return all.error();
  std::vector<wire::Column> columns;
  if (merge.output.empty()) {
    const auto hidden = static_cast<std::size_t>(std::max(merge.hidden_columns, 0));
    columns = all->columns;
    columns.resize(columns.size() - std::min(hidden, columns.size()));
  }
  for (int at : merge.output) {
    if (static_cast<std::size_t>(at) >= all->columns.size())
      return make_error("XX000", "a merge of columns that the shards do not have");
    columns.push_back(all->columns[static_cast<std::size_t>(at)]);
  }
  Description out;
  out.returns_rows = true;
  for (const wire::Column& column : columns) out.column_types.push_back(column.type_oid);
  wire::append_row_description(out.row_description, columns);
  return out;
}

namespace {

// The transaction's own connection when it is there and has nothing under way, otherwise another.
io::Task<Result<Description>> describe_at_home(Transaction& transaction, std::string_view text,
                                               const std::vector<std::uint32_t>& types,
                                               bool in_transaction) {
  const catalog::SnapshotPtr& snapshot =
      transaction.snapshot() ? transaction.snapshot() : transaction.context().snapshot;
  const ShardId home = snapshot->home;
  backend::Connection* own = transaction.enlisted(home);
  if (in_transaction || (own && own->pending().all_answered() && !own->broken())) {
    Result<backend::Connection*> c = co_await transaction.use_for_words(home);
    if (!c) co_return c.error();
    co_return co_await describe_on(**c, text, types);
  }
  Result<Borrowed> other = co_await Borrowed::take(transaction, home);
  if (!other) co_return other.error();
  co_return co_await describe_on(**other, text, types);
}

}  // namespace

io::Task<Result<DescriptionPtr>> describe(Transaction& transaction, std::string_view text,
                                          const std::vector<std::uint32_t>& types,
                                          std::string_view search_path, bool in_transaction) {
  const auto& cache = transaction.context().descriptions;
  std::string key = cache_key(text, types, search_path);
  if (!in_transaction) {
    if (auto known = cache.find(key); known != cache.end()) co_return known->second;
  }
  Result<Description> fresh = co_await describe_at_home(transaction, text, types, in_transaction);
  if (!fresh) co_return fresh.error();
  auto description = std::make_shared<const Description>(std::move(*fresh));
  if (!in_transaction) remember(transaction.context(), std::move(key), description);
  co_return DescriptionPtr(std::move(description));
}

}  // namespace shoal::exec
