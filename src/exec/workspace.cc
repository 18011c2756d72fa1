// Filling temporary tables and finishing there.
#include "exec/workspace.h"

#include "exec/fan.h"
#include "exec/rows.h"
#include "sql/deparse.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace shoal::exec {
namespace {

constexpr std::size_t kFrameBytes = 64u << 10;
constexpr std::size_t kMostUnsent = 4u << 20;
constexpr io::Milliseconds kLongestNap{20};
constexpr std::uint64_t kRowsWorthStatistics = 10'000;
constexpr std::string_view kBinaryHeader("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr std::string_view kBinaryTrailer("\377\377", 2);
constexpr std::uint32_t kPreparing = 1, kFinishing = 2;  // tags of what is sent

// The answer of the last statement; what the ones before it say is only looked at for errors.
class FinishedRows : public PassingRows {
 public:
  explicit FinishedRows(Run run) : PassingRows(run), run_(run) {}
  Result<> on_frame(std::size_t branch, const wire::Frame& frame, std::uint32_t tag) override {
    if (tag != kFinishing) return {};
    // COPY (query) TO STDOUT: its messages are the client's.
    if (frame.type == 'H' || frame.type == 'd' || frame.type == 'c') {
      run_.output.frame(frame.bytes);
      return {};
    }
    return PassingRows::on_frame(branch, frame, tag);
  }

 private:
  Run run_;
};

}  // namespace

io::Task<Result<Workspace>> Workspace::take(Run run) {
  Result<Borrowed> connection = co_await Borrowed::take(run.transaction, run.request.snapshot.home);
  if (!connection) co_return connection.error();
  if (run.request.plan.user_code) (*connection)->user_code = true;
  co_return Workspace(std::move(*connection));
}

void Workspace::open(const std::string& sql) {
  append_simple(*connection_, "BEGIN;" + sql, kPreparing);
  connection_->send();
}

void Workspace::begin_copy(std::string_view table, CopyForm form) {
  form_ = form;
  copying_ = true;
  append_simple(*connection_,
                fmt::format("COPY pg_temp.{} FROM STDIN{}", sql::quote_identifier(table),
                            form == CopyForm::kBinary ? " (FORMAT binary)" : ""),
                kPreparing);
  if (form == CopyForm::kBinary) append(kBinaryHeader);
}

void Workspace::append(std::string_view bytes) {
  std::string& out = connection_->out();
  if (frame_ == kNoFrame) {
    frame_ = out.size();
    out.append("d\0\0\0\0", 5);
  }
  out.append(bytes);
  if (out.size() - frame_ < kFrameBytes) return;
  end_frame();
  connection_->send();
}

void Workspace::end_frame() {
  if (frame_ == kNoFrame) return;
  std::string& out = connection_->out();
  const std::size_t length = out.size() - frame_ - 1;
  for (std::size_t i = 0; i < 4; ++i)
    out[frame_ + 1 + i] = static_cast<char>(length >> (24 - 8 * i));
  frame_ = kNoFrame;
}

void Workspace::add_row(std::string_view body) {
  // A DataRow and a binary COPY tuple are written alike: count, then length and bytes of each.
  if (form_ == CopyForm::kBinary)
    append(body);
  else
    append_text_row(body);
}

void Workspace::append_text_row(std::string_view body) {
  Result<wire::DataRow> row = wire::decode_data_row(body);
  if (!row) return;
  line_.clear();
  bool first = true;
  for (wire::Value value : row->values) {
    if (!std::exchange(first, false)) line_ += '\t';
    if (!value) {
      line_ += "\\N";
      continue;
    }
    for (char c : *value) {
      switch (c) {
        case '\\':
          line_ += "\\\\";
          break;
        case '\n':
          line_ += "\\n";
          break;
        case '\r':
          line_ += "\\r";
          break;
        case '\t':
          line_ += "\\t";
          break;
        default:
          line_ += c;
      }
    }
  }
  line_ += '\n';
  append(line_);
}

void Workspace::end_copy(std::string_view table, std::uint64_t rows) {
  if (form_ == CopyForm::kBinary) append(kBinaryTrailer);
  end_frame();
  copying_ = false;
  wire::append_copy_done(connection_->out());
  connection_->pending().sent('c');
  if (rows >= kRowsWorthStatistics) {
    append_simple(*connection_, fmt::format("ANALYZE pg_temp.{}", sql::quote_identifier(table)),
                  kPreparing);
  }
  connection_->send();
}

io::Task<Result<>> Workspace::flow(io::Deadline deadline, Refusal late) {
  io::Milliseconds nap{1};
  while (connection_->unsent() >= kMostUnsent) {
    if (connection_->broken())
      co_return make_error("08006", "the connection of the workspace was lost");
    if (io::Clock::now() >= deadline.at) co_return refuse(late, "the workspace does not take rows");
    co_await io::sleep_for(nap);
    nap = std::min(nap * 2, kLongestNap);
  }
  co_return Result<>();
}

io::Task<Result<std::string>> Workspace::finish(Run run, const ShardStatement& statement,
                                                std::vector<wire::Format> results) {
  ExecuteOptions options;
  options.results = std::move(results);
  options.tag = kFinishing;
  options.describe = !run.request.description;
  append_execution(*connection_, statement, options);
  append_sync(*connection_);
  wire::append_query(connection_->out(), "ROLLBACK");
  connection_->pending().sent('Q', {.swallow = true, .tag = kPreparing});
  connection_->send();
  FinishedRows rows(run);
  Fan fan(run.transaction, rows, run.output);
  fan.drop_error_fields("P");
  fan.add(&*connection_);
  SHOAL_CO_TRY(co_await fan.run());
  co_return rows.tag().text();
}

io::Task<> Workspace::abort() {
  backend::Connection& c = *connection_;
  end_frame();
  if (c.broken()) co_return;
  if (std::exchange(copying_, false)) {
    wire::append_copy_fail(c.out(), "the query has ended");
    c.pending().sent('f');
  }
  append_simple(c, "ROLLBACK");
  c.send();
  const bool clean = co_await c.drain(io::Deadline::in(io::Milliseconds(5'000)));
  if (!clean) c.close();
}

}  // namespace shoal::exec
