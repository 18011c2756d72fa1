// Buffering rows, and moving them to the workspace.
#include "session/portal_rows.h"

#include "wire/bytes.h"
#include "wire/frame.h"

namespace shoal::session {
namespace {

constexpr std::size_t kFlowRows = 1000;

// The one form of all columns; nothing where there is none.
std::optional<exec::CopyForm> form_of(const std::vector<wire::Format>& formats,
                                      const catalog::Snapshot& snapshot,
                                      const exec::Description& description) {
  if (formats.empty()) return exec::CopyForm::kText;
  for (wire::Format format : formats)
    if (format != formats.front()) return std::nullopt;
  if (formats.front() == wire::Format::kText) return exec::CopyForm::kText;
  const exec::CopyForm form = exec::copy_form(snapshot, description.column_types);
  return form == exec::CopyForm::kBinary ? std::optional(form) : std::nullopt;
}

}  // namespace

PortalRows::PortalRows(exec::Transaction& transaction, const catalog::Snapshot& snapshot,
                       exec::DescriptionPtr description, std::span<const wire::Format> formats,
                       std::string& rows, std::vector<std::size_t>& ends, exec::Output& notices)
    : transaction_(transaction),
      snapshot_(snapshot),
      description_(std::move(description)),
      formats_(exec::column_formats(formats, description_->column_types.size())),
      rows_(rows),
      ends_(ends),
      notices_(notices) {}

void PortalRows::row(std::string_view body) {
  if (kept_ && !moving_) {
    kept_->row(body);
    return;
  }
  rows_.push_back('D');
  wire::append_u32(rows_, static_cast<std::uint32_t>(body.size() + 4));
  rows_ += body;
  ends_.push_back(rows_.size());
}

io::Task<Result<>> PortalRows::flow() {
  if (kept_ && !moving_) co_return co_await kept_->flow();
  if (moving_ || rows_.size() <= transaction_.context().limits.portal_bytes) co_return Result<>();
  co_return co_await move_rows();
}

io::Task<Result<>> PortalRows::move_rows() {
  const std::optional<exec::CopyForm> form = form_of(formats_, snapshot_, *description_);
  if (!form || transaction_.idle()) co_return refuse(Refusal::kPortalBuffer);
  moving_ = true;
  Result<std::unique_ptr<exec::KeptRows>> made =
      co_await exec::KeptRows::make(transaction_, snapshot_, description_, notices_, form);
  if (!made) co_return made.error();
  kept_ = std::move(*made);
  std::size_t from = 0;
  for (std::size_t i = 0; i < ends_.size(); ++i) {  // more may come meanwhile
    const std::string_view frame = std::string_view(rows_).substr(from, ends_[i] - from);
    kept_->row(frame.substr(wire::kHeaderBytes));
    from = ends_[i];
    if (i % kFlowRows == 0) SHOAL_CO_TRY(co_await kept_->flow());
  }
  rows_ = std::string();
  ends_ = std::vector<std::size_t>();
  moving_ = false;
  co_return Result<>();
}

}  // namespace shoal::session
