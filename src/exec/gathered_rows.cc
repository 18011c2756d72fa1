// Keeping rows.
#include "exec/gathered_rows.h"

#include "wire/backend.h"

namespace shoal::exec {

void GatheredRows::row_description(std::string_view frame) {
  Result<wire::RowDescription> rows =
      wire::decode_row_description(frame.substr(wire::kHeaderBytes));
  if (!rows) return;
  types_.clear();
  for (const wire::Column& column : rows->columns) types_.push_back(column.type_oid);
}

void GatheredRows::row(std::string_view body) {
  bytes_ += body.size() + sizeof(std::string);
  if (bytes_ <= max_bytes_) rows_.emplace_back(body);
}

io::Task<Result<>> GatheredRows::flow() {
  if (bytes_ > max_bytes_)
    co_return refuse(Refusal::kPullBytes, "rows that must be held until they are placed");
  co_return Result<>();
}

std::vector<wire::Value> GatheredRows::values(std::size_t row) const {
  Result<wire::DataRow> decoded = wire::decode_data_row(rows_[row]);
  return decoded ? decoded->values.to_vector() : std::vector<wire::Value>();
}

}  // namespace shoal::exec
