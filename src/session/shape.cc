// The columns of prepared statements. A driver decodes rows by what it learned when it prepared a
// statement, so that the statement may not answer with other columns after a schema change:
// PostgreSQL (RevalidateCachedQuery) refuses it, and so does the router, which parses it anew.
#include "session/session.h"
#include "wire/frontend.h"

namespace shoal::session {

Shape shape_of(std::string_view row_description) {
  auto shape = std::make_shared<std::string>();
  if (row_description.empty()) return shape;
  Result<wire::RowDescription> rows =
      wire::decode_row_description(row_description.substr(wire::kHeaderBytes));
  if (!rows) return nullptr;
  for (const wire::Column& c : rows->columns)
    *shape += fmt::format("{} {} {}\n", c.type_oid, c.typmod, c.name);
  return shape;
}

// Asks the server that has just got the statement, or another one's, for its columns.
void Session::learn_shape(backend::Connection& c, const StatementPtr& statement,
                          const std::string& name) {
  const Epoch epoch = snapshot()->epoch;
  if (ddl_in_transaction_ || !facts_.temp_tables.empty()) return;
  if (statement->shape && statement->shape_epoch == epoch) {
    keep_shape(*statement, name);
    return;
  }
  wire::append_describe(c.out(), wire::Target::kStatement, c.prepared[statement->server_key]);
  c.pending().sent_describe(wire::Target::kStatement, {.swallow = true, .tag = tag_});
  shapes_due_.push_back({statement, name, epoch});
}

void Session::on_shape(const wire::Frame& frame) {
  if (frame.type != 'T' && frame.type != 'n') return;
  ShapeDue due = std::move(shapes_due_.front());
  shapes_due_.pop_front();
  std::string_view rows = frame.bytes;
  if (frame.type == 'n') rows = {};
  due.statement->shape = shape_of(rows);
  due.statement->shape_epoch = due.epoch;
  keep_shape(*due.statement, due.name);
}

void Session::keep_shape(const StatementInfo& statement, const std::string& name) {
  auto named = statements_.find(name);
  if (named == statements_.end() || named->second.statement.get() != &statement) return;
  if (named->second.shape) return;
  named->second.shape = statement.shape;
  named->second.epoch = statement.shape_epoch;
}

// Before a statement that was prepared under another schema runs.
io::Task<Result<>> Session::check_shape(std::string name) {
  const Named known = statements_.at(name);
  const Epoch epoch = snapshot()->epoch;
  Result<exec::DescriptionPtr> now =
      co_await describe(known.statement->text, known.statement->types);
  if (!now) co_return now.error();
  SHOAL_CO_TRY(same_shape(known, **now));
  if (auto named = statements_.find(name); named != statements_.end()) named->second.epoch = epoch;
  co_return Result<>();
}

Result<> Session::same_shape(const Named& named, const exec::Description& now) const {
  if (!named.shape) return {};
  Shape shape = shape_of(now.row_description);
  if (!shape || *shape == *named.shape) return {};
  Error e = make_error("0A000", "cached plan must not change result type");
  e.object = std::make_shared<ErrorObject>(ErrorObject{.routine = "RevalidateCachedQuery"});
  return e;
}

}  // namespace shoal::session
