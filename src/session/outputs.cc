// Rows to the client or a portal; SQL and rows for the control plane.
#include "session/outputs.h"

#include "wire/bytes.h"
#include "wire/frontend.h"

namespace shoal::session {
namespace {

constexpr std::size_t kCopyChunk = 64u << 10;

void append_row(std::string& out, std::string_view body) {
  out.push_back('D');
  wire::append_u32(out, static_cast<std::uint32_t>(body.size() + 4));
  out += body;
}

// One line of COPY's text format (without its newline) -> fields.
std::vector<std::optional<std::string>> split_copy_line(std::string_view line) {
  std::vector<std::optional<std::string>> fields;
  std::string field;
  bool null = false;
  auto end_field = [&] {
    if (null)
      fields.emplace_back(std::nullopt);
    else
      fields.emplace_back(field);
    field.clear();
    null = false;
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    char c = line[i];
    if (c == '\t') {
      end_field();
    } else if (c == '\\' && i + 1 < line.size()) {
      switch (char e = line[++i]) {
        case 'N':
          null = true;
          break;
        case 'b':
          field.push_back('\b');
          break;
        case 'f':
          field.push_back('\f');
          break;
        case 'n':
          field.push_back('\n');
          break;
        case 'r':
          field.push_back('\r');
          break;
        case 't':
          field.push_back('\t');
          break;
        case 'v':
          field.push_back('\v');
          break;
        default:
          field.push_back(e);
      }
    } else {
      field.push_back(c);
    }
  }
  end_field();
  return fields;
}

}  // namespace

void OutputAdapter::row_description(std::string_view frame) {
  if (describe_) session_.client_.out() += frame;
}
void OutputAdapter::row(std::string_view body) {
  append_row(session_.client_.out(), body);
}
void OutputAdapter::frame(std::string_view bytes) {
  session_.client_.out() += bytes;
}
io::Task<Result<>> OutputAdapter::flow() {
  return session_.client_.flow();
}

void BufferOutput::row(std::string_view body) {
  append_row(rows_, body);
  ends_.push_back(rows_.size());
}
io::Task<Result<>> BufferOutput::flow() {
  if (rows_.size() > limit_) co_return refuse(Refusal::kPortalBuffer);
  co_return Result<>();
}

io::Task<Result<backend::TextRows>> RunnerAdapter::run(ShardId shard, std::string sql) {
  Result<backend::Connection*> c = co_await session_.txn_.use(shard);
  if (!c) co_return c.error();
  session_.txn_.mark_wrote(shard);
  Result<backend::TextRows> rows = co_await (*c)->query(std::move(sql));
  if (rows) session_.client_.out() += rows->notices;
  co_return std::move(rows);
}

// Rows that stay where they are are neither sent nor counted.
io::Task<Result<std::uint64_t>> RunnerAdapter::copy_rows(
    ShardId from, std::string copy_out_sql, std::string copy_in_sql, std::vector<ShardId> targets,
    std::function<Result<std::vector<ShardId>>(const std::vector<std::optional<std::string>>&)>
        route) {
  Result<backend::Connection*> source = co_await session_.txn_.use(from);
  if (!source) co_return source.error();
  std::map<ShardId, backend::Connection*> sinks;
  std::map<ShardId, std::string> batches;
  std::optional<Error> failure;
  for (ShardId target : targets) {
    if (target == from) continue;
    Result<backend::Connection*> c = co_await session_.txn_.use(target);
    if (!c) co_return c.error();
    session_.txn_.mark_wrote(target);
    wire::append_query((*c)->out(), copy_in_sql);
    (*c)->pending().sent('Q');
    (*c)->send();
    while (!(*c)->pending().in_copy_in() && !(*c)->pending().all_answered()) {
      Result<wire::Frame> frame = co_await (*c)->next();
      if (!frame) co_return frame.error();
      (void)(*c)->pending().on(frame->type);
      if (frame->type == 'E') {
        Result<wire::ErrorFields> fields = wire::decode_error_fields(frame->body);
        failure = fields ? wire::error_from(*fields, (*c)->endpoint().name) : fields.error();
      }
    }
    if ((*c)->pending().in_copy_in()) sinks[target] = *c;
    if (failure) break;
  }
  std::uint64_t rows = 0;
  backend::Connection& out = **source;
  if (!failure) {
    wire::append_query(out.out(), copy_out_sql);
    out.pending().sent('Q');
    out.send();
    while (!out.pending().all_answered()) {
      Result<wire::Frame> frame = co_await out.next();
      if (!frame) co_return frame.error();
      (void)out.pending().on(frame->type);
      if (frame->type == 'E') {
        Result<wire::ErrorFields> fields = wire::decode_error_fields(frame->body);
        failure = fields ? wire::error_from(*fields, out.endpoint().name) : fields.error();
      }
      if (frame->type != 'd' || failure) continue;
      std::string_view line = frame->body;
      std::string_view fields_text = line;
      if (!fields_text.empty() && fields_text.back() == '\n') fields_text.remove_suffix(1);
      Result<std::vector<ShardId>> places = route(split_copy_line(fields_text));
      if (!places) {
        failure = places.error();
        continue;
      }
      bool moved = false;
      for (ShardId place : *places) {
        auto sink = sinks.find(place);
        if (sink == sinks.end()) continue;
        moved = true;
        std::string& batch = batches[place];
        batch += line;
        if (batch.size() < kCopyChunk) continue;
        wire::append_copy_data(sink->second->out(), batch);
        batch.clear();
        sink->second->send();
        if (sink->second->unsent() > 16 * kCopyChunk) {
          Result<> sent = co_await sink->second->wait_sent();
          if (!sent) failure = sent.error();
        }
      }
      if (moved) ++rows;
    }
  }
  for (auto& [place, sink] : sinks) {
    if (failure) {
      wire::append_copy_fail(sink->out(), "the copy was given up");
      sink->pending().sent('f');
    } else {
      if (!batches[place].empty()) wire::append_copy_data(sink->out(), batches[place]);
      wire::append_copy_done(sink->out());
      sink->pending().sent('c');
    }
    sink->send();
  }
  for (auto& [place, sink] : sinks) {
    while (!sink->pending().all_answered()) {
      Result<wire::Frame> frame = co_await sink->next();
      if (!frame) co_return frame.error();
      (void)sink->pending().on(frame->type);
      if (frame->type == 'E' && !failure) {
        Result<wire::ErrorFields> fields = wire::decode_error_fields(frame->body);
        failure = fields ? wire::error_from(*fields, sink->endpoint().name) : fields.error();
      }
    }
  }
  if (failure) co_return *failure;
  co_return rows;
}

}  // namespace shoal::session
