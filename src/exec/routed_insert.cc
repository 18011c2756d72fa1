// INSERT whose rows are computed or gathered first: the source runs like a query of its own, then
// each row goes to the shard of its key (or to every copy of its table).
#include "exec/copy_keys.h"
#include "exec/gathered_rows.h"
#include "exec/nodes.h"
#include "exec/row_inserter.h"
#include "exec/rows.h"

namespace shoal::exec {
namespace {

constexpr std::size_t kMostMemory = 256u << 20;

// A row's key in the types of the key columns, as storing it will make it.
Result<ShardId> place_row(const RowPlacer& placer, const plan::RoutedInsert& insert,
                          const GatheredRows& rows, std::size_t row) {
  const std::vector<wire::Value> values = rows.values(row);
  std::vector<keys::KeyValue> key;
  for (std::size_t i = 0; i < insert.key_columns.size(); ++i) {
    const auto at = static_cast<std::size_t>(insert.key_columns[i]);
    if (at >= values.size() || at >= rows.types().size())
      return make_error("XX000", "the source of an INSERT lacks a key column");
    if (!values[at]) return placer.null_error(i);
    const std::optional<keys::KeyType> type = keys::key_type_of_oid(rows.types()[at]);
    if (!type)
      return refuse(Refusal::kInsertSource, "the type of the value for the shard key",
                    "cast it to the key column's type");
    Result<keys::KeyValue> value = keys::parse_binary(*type, *values[at]);
    if (!value) return value.error();
    value = keys::cast_for_assignment(*value, placer.column(i).type);
    if (!value) return value.error();
    value = keys::apply_typmod(*std::move(value), placer.column(i).typmod);
    if (!value) return value.error();
    key.push_back(*std::move(value));
  }
  return placer.place(key);
}

Result<RowsOfShard> place_rows(Run run, const plan::RoutedInsert& insert,
                               const GatheredRows& rows) {
  RowsOfShard placed;
  Result<RowPlacer> placer = RowPlacer::make(run.request.snapshot, insert.table, insert.keyspace);
  if (!placer) return placer.error();
  if (insert.only) placer->keep_to_shard(*insert.only);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    Result<ShardId> shard = place_row(*placer, insert, rows, row);
    if (!shard) return shard.error();
    placed[*shard].push_back(static_cast<std::uint32_t>(row));
  }
  return placed;
}

io::Task<Result<>> run_source(Run run, const plan::RoutedInsert& insert, GatheredRows& rows) {
  Bound bound = run.request.bound;
  bound.result_formats.assign(1, wire::Format::kBinary);
  const RunRequest source{*insert.source, bound, nullptr, run.request.snapshot,
                          run.request.workspace_settings};
  Result<std::string> tag = co_await run_plan(run.transaction, source, rows);
  if (!tag) co_return tag.error();
  co_return co_await rows.flow();
}

Result<InsertShape> shape_of(Run run, const plan::RoutedInsert& insert) {
  const catalog::Table* table = run.request.snapshot.table(insert.table);
  if (!table) return make_error("XX000", "the target of an INSERT is not known");
  InsertShape shape;
  shape.schema = table->schema;
  shape.table = table->name;
  shape.columns = insert.columns;
  shape.returning = insert.returning;
  std::string_view suffix = insert.insert_suffix;
  const std::size_t conflict = suffix.find("ON CONFLICT");
  shape.overriding = suffix.substr(0, conflict);
  if (conflict != std::string_view::npos) shape.conflict = suffix.substr(conflict);
  shape.one_by_one = !shape.returning.empty() && shape.conflict.ends_with("DO NOTHING");
  return shape;
}

std::string tag_of(const TagSum& tag) {
  return fmt::format("INSERT 0 {}", tag.rows());
}

// Home's copy answers; the others must come out the same.
io::Task<Result<std::string>> insert_copies(Run run, const plan::RoutedInsert& insert,
                                            InsertShape shape, const GatheredRows& rows) {
  const ShardId home = run.request.snapshot.home;
  std::vector<ShardId> others;
  for (ShardId shard : insert.copies)
    if (shard != home) others.push_back(shard);
  std::vector<ShardId> first(1, others.size() == insert.copies.size() ? others.front() : home);
  if (!others.empty()) SHOAL_CO_TRY(co_await lock_reference(run, insert.table));
  const bool returning = !shape.returning.empty();
  Result<TagSum> own =
      co_await send_rows(run, shape, rows, all_rows(rows.size(), first), returning);
  if (!own) co_return own.error();
  if (others.empty() || rows.size() == 0 || first.front() != home) co_return tag_of(*own);
  shape.returning.clear();
  Result<TagSum> rest =
      co_await send_rows(run, std::move(shape), rows, all_rows(rows.size(), others), false);
  if (!rest) co_return rest.error();
  if (rest->rows() != own->rows() * others.size())
    co_return refuse(Refusal::kReferenceWrite, "the copies took different numbers of rows");
  co_return tag_of(*own);
}

}  // namespace

Answer run_routed_insert(Run run, const plan::RoutedInsert& insert) {
  Result<InsertShape> shape = shape_of(run, insert);
  if (!shape) co_return shape.error();
  GatheredRows rows(run.output, std::min(run.limits().pull_bytes, kMostMemory));
  SHOAL_CO_TRY(co_await run_source(run, insert, rows));
  if (!insert.copies.empty())
    co_return co_await insert_copies(run, insert, std::move(*shape), rows);
  Result<RowsOfShard> placed = place_rows(run, insert, rows);
  if (!placed) co_return placed.error();
  const bool returning = !shape->returning.empty();
  Result<TagSum> tag =
      co_await send_rows(run, std::move(*shape), rows, std::move(*placed), returning);
  if (!tag) co_return tag.error();
  co_return tag_of(*tag);
}

}  // namespace shoal::exec
