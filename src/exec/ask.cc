// One statement, one row.
#include "exec/ask.h"

#include "wire/backend.h"

namespace shoal::exec {

io::Task<Result<OwnedValues>> ask_row(backend::Connection& c, const ShardStatement& statement) {
  ExecuteOptions options;
  options.results.assign(1, wire::Format::kBinary);
  append_execution(c, statement, options);
  append_sync(c);
  c.send();
  OwnedValues values;
  std::optional<Error> failure;
  while (!c.pending().all_answered()) {
    Result<wire::Frame> frame = co_await c.next();
    if (!frame) co_return frame.error();
    const auto verdict = c.pending().on(frame->type);
    if (verdict.action == wire::PendingResponses::Action::kViolation) {
      c.close();
      co_return violation_of(c);
    }
    if (frame->type == 'E' && !failure) failure = error_of_frame(c, *frame, "PW");
    if (frame->type != 'D' || !values.empty()) continue;
    Result<wire::DataRow> row = wire::decode_data_row(frame->body);
    if (!row) continue;
    for (wire::Value value : row->values) {
      if (value)
        values.emplace_back(std::string(*value));
      else
        values.emplace_back(std::nullopt);
    }
  }
  if (failure) co_return *failure;
  co_return std::move(values);
}

}  // namespace shoal::exec
