// Passing and merging rows.
#include "exec/rows.h"

#include "wire/backend.h"

namespace shoal::exec {
namespace {

constexpr std::size_t kRowsBetweenFlows = 64;

std::string_view tag_of(const wire::Frame& frame) {
  Result<wire::CommandComplete> done = wire::decode_command_complete(frame.body);
  return done ? done->tag : std::string_view();
}

}  // namespace

void Heading::send() {
  if (sent_ || !description_ || !description_->returns_rows) return;
  sent_ = true;
  run_.output.row_description(
      row_description_with(*description_, run_.request.bound.result_formats));
}

void Heading::send(std::string_view frame) {
  if (sent_ || description_) return;
  sent_ = true;
  run_.output.row_description(frame);
}

void TagSum::add(std::string_view text, bool count_rows) {
  const wire::Tag tag = wire::parse_tag(text);
  if (command_.empty()) {
    command_ = tag.command;
    oid_ = tag.oid;
  }
  counted_ = counted_ || tag.rows.has_value();
  if (count_rows) rows_ += tag.rows.value_or(0);
}

std::string TagSum::text() const {
  wire::Tag tag{.command = command_, .oid = oid_, .rows = {}};
  if (counted_) tag.rows = rows_;
  return wire::print_tag(tag);
}

Result<> PassingRows::on_frame(std::size_t, const wire::Frame& frame, std::uint32_t) {
  switch (frame.type) {
    case '2':  // bound: what fails from now on fails behind its heading
      if (!drop_rows_) heading_.send();
      break;
    case 'T':
      heading_.send(frame.bytes);
      break;
    case 'D':
      if (drop_rows_) break;
      run_.output.row(frame.body);
      break;
    case 'C':
      tag_.add(tag_of(frame), tag_.empty() || !first_only_);
      break;
    default:
      break;
  }
  return {};
}

io::Task<Result<>> PassingRows::batch(std::size_t) {
  return run_.output.flow();
}

Result<> ReturnedRows::on_frame(std::size_t, const wire::Frame& frame, std::uint32_t tag) {
  if (frame.type == '2') heading_.send();
  if (frame.type == 'T') heading_.send(frame.bytes);
  if (frame.type == 'C') tag_.add(tag_of(frame));
  if (frame.type != 'D') return {};
  bytes_ += frame.body.size();
  if (bytes_ > run_.limits().pull_bytes)
    return refuse(Refusal::kPullBytes, "rows of RETURNING that wait for their order");
  const std::size_t statement = tag - 1;
  const std::size_t nth = taken_[statement]++;
  const std::vector<std::uint32_t>& order = order_[statement];
  rows_.push_back({nth < order.size() ? order[nth] : UINT32_MAX, std::string(frame.body)});
  return {};
}

io::Task<Result<>> ReturnedRows::send_rows() {
  heading_.send();  // also when no shard took a row
  std::stable_sort(rows_.begin(), rows_.end(),
                   [](const Row& a, const Row& b) { return a.input < b.input; });
  for (const Row& row : rows_) {
    run_.output.row(row.body);
    SHOAL_CO_TRY(co_await run_.output.flow());
  }
  co_return Result<>();
}

Result<> MergingRows::on_frame(std::size_t branch, const wire::Frame& frame, std::uint32_t) {
  switch (frame.type) {
    case '2':
      heading_.send();
      break;
    case 'D':
      return merger_.push(branch, frame.body);
    case 'C':
      merger_.finish(branch);
      tag_.add(tag_of(frame));
      break;
    default:
      break;
  }
  return {};
}

io::Task<Result<>> MergingRows::batch(std::size_t) {
  std::size_t rows = 0;
  for (;;) {
    Result<merge::Merger::Step> step = merger_.next();
    if (!step) co_return step.error();
    if (const auto* row = std::get_if<merge::Merger::Row>(&*step)) {
      run_.output.row(row->body);
      if (++rows % kRowsBetweenFlows == 0) SHOAL_CO_TRY(co_await run_.output.flow());
      continue;
    }
    if (std::holds_alternative<merge::Merger::Done>(*step)) {
      heading_.send();  // LIMIT 0 is over before a shard is heard
      fan_.stop();
    }
    break;
  }
  room_.set();
  co_return co_await run_.output.flow();
}

io::Task<> MergingRows::room(std::size_t branch) {
  while (!fan_.ending() && merger_.buffered_bytes(branch) >= run_.limits().merge_buffer_bytes)
    co_await room_.wait({});
}

}  // namespace shoal::exec
