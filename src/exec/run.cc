// Which runner a plan's node goes to, and the formats of answers.
#include "exec/run.h"

#include "exec/nodes.h"

namespace shoal::exec {
namespace {

Answer refuse_node(Error error) {
  co_return error;
}

Answer not_here(std::string_view what) {
  co_return make_error("XX000", fmt::format("{} is not a plan that can be run here", what));
}

Answer run_forward(Run run, plan::Forward forward) {
  plan::Scatter scatter;
  scatter.shards = {forward.shard};
  scatter.text = std::move(forward.text);
  scatter.writes = run.request.plan.writes;
  scatter.tag = plan::Scatter::TagRule::kFirst;
  co_return co_await run_scatter(run, scatter);
}

struct Choose {
  Run run;
  Answer operator()(const plan::Forward& n) { return run_forward(run, n); }
  Answer operator()(const plan::Scatter& n) { return run_scatter(run, n); }
  Answer operator()(const plan::Pull& n) { return run_pull(run, n); }
  Answer operator()(const plan::Write& n) { return run_write(run, n); }
  Answer operator()(const plan::ReferenceWrite& n) { return run_reference_write(run, n); }
  Answer operator()(const plan::RoutedInsert& n) { return run_routed_insert(run, n); }
  Answer operator()(const plan::CopyIn&) { return not_here("COPY FROM STDIN"); }
  Answer operator()(const plan::CopyOut& n) { return run_copy_out(run, n); }
  Answer operator()(const plan::Broadcast& n) { return run_broadcast(run, n); }
  Answer operator()(const plan::NeedTypes&) { return not_here("a statement without types"); }
  Answer operator()(const Error& e) { return refuse_node(e); }
};

}  // namespace

io::Task<Result<std::string>> run_plan(Transaction& transaction, RunRequest request,
                                       Output& output) {
  Run run{transaction, request, output};
  co_return co_await std::visit(Choose{run}, request.plan.node);
}

std::vector<wire::Format> column_formats(std::span<const wire::Format> asked, std::size_t columns) {
  std::vector<wire::Format> formats(columns, wire::Format::kText);
  if (asked.empty()) return formats;
  for (std::size_t i = 0; i < columns; ++i)
    formats[i] = asked[asked.size() == 1 ? 0 : std::min(i, asked.size() - 1)];
  return formats;
}

//   'T' length:u32 columns:u16 (name:cstring table:u32 attnum:u16 type:u32 size:u16 typmod:u32
//   format:u16)*
std::string row_description_with(const Description& description,
                                 std::span<const wire::Format> asked) {
  constexpr std::size_t kFixed = 4 + 2 + 4 + 2 + 4;
  std::string frame = description.row_description;
  std::size_t columns = description.column_types.size();
  std::vector<wire::Format> formats = column_formats(asked, columns);
  std::size_t at = wire::kHeaderBytes + 2;
  for (std::size_t i = 0; i < columns; ++i) {
    at = frame.find('\0', at);
    if (at == std::string::npos || at + 1 + kFixed + 2 > frame.size()) break;
    at += 1 + kFixed;
    frame[at] = 0;
    frame[at + 1] = static_cast<char>(formats[i]);
    at += 2;
  }
  return frame;
}

}  // namespace shoal::exec
