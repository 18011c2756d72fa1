// COPY ... TO STDOUT over several shards: their rows as one stream with one header and one trailer.
// Servers send each row as a CopyData message of its own, and so the rows of all shards may follow
// each other as they come.
//   binary := signature[11] flags:u32 length:u32 extension (tuple)* -1:i16
#include "exec/fan.h"
#include "exec/nodes.h"
#include "exec/rows.h"
#include "exec/statement.h"
#include "wire/backend.h"
#include "wire/frontend.h"

namespace shoal::exec {
namespace {

constexpr std::string_view kTrailer("\xff\xff", 2);
constexpr std::size_t kSignature = 11;

class CopiedRows : public Fan::Handler {
 public:
  CopiedRows(Run run, bool header, std::size_t shards)
      : run_(run), header_line_(header), seen_data_(shards) {}

  Result<> on_frame(std::size_t branch, const wire::Frame& frame, std::uint32_t) override {
    if (frame.type == 'H') return on_begin(frame);
    if (frame.type == 'd') return on_data(branch, frame);
    if (frame.type == 'C') {
      Result<wire::CommandComplete> done = wire::decode_command_complete(frame.body);
      if (done) tag_.add(done->tag);
    }
    return {};
  }
  io::Task<Result<>> batch(std::size_t) override { return run_.output.flow(); }

  std::string finish() {
    if (binary_) send_data(kTrailer);
    std::string end;
    wire::append_copy_done(end);
    run_.output.frame(end);
    return tag_.text();
  }

 private:
  Result<> on_begin(const wire::Frame& frame) {
    Result<wire::CopyResponse> response = wire::decode_copy_response(frame.body);
    if (!response) return response.error();
    if (!begun_) run_.output.frame(frame.bytes);
    begun_ = true;
    binary_ = response->format == wire::Format::kBinary;
    return {};
  }

  Result<> on_data(std::size_t branch, const wire::Frame& frame) {
    std::string_view data = frame.body;
    const bool first = std::exchange(seen_data_[branch], 1) == 0;
    if (!binary_) {
      const bool is_header = first && header_line_;
      if (!is_header || !std::exchange(header_sent_, true)) run_.output.frame(frame.bytes);
      return {};
    }
    if (data == kTrailer) return {};
    if (!first) {
      if (header_.empty())
        run_.output.frame(frame.bytes);
      else
        send_data(data);
      return {};
    }
    return on_binary_header(data);
  }

  // The first message holds the header and perhaps the first tuple, or the trailer at once.
  Result<> on_binary_header(std::string_view data) {
    wire::Cursor in(data);
    in.bytes(kSignature);
    in.u32();
    in.bytes(in.u32());
    if (!in.ok()) return make_error("08P01", "a shard sent a malformed binary COPY header");
    std::string_view rest = in.rest();
    std::string_view header = data.substr(0, data.size() - rest.size());
    if (!std::exchange(header_sent_, true)) header_ = header;
    if (!rest.empty() && rest != kTrailer) send_data(rest);
    return {};
  }

  // The header comes in one message with the first tuple, as PostgreSQL sends it: clients that
  // take each message for a row rely on it.
  void send_data(std::string_view data) {
    std::string frame;
    wire::append_copy_data(frame, std::exchange(header_, {}) + std::string(data));
    run_.output.frame(frame);
  }

  Run run_;
  bool header_line_;
  std::vector<char> seen_data_;  // by branch
  bool begun_ = false, binary_ = false, header_sent_ = false;
  std::string header_;  // of a binary COPY, until there is something behind it
  TagSum tag_;
};

}  // namespace

Answer run_copy_out(Run run, const plan::CopyOut& copy) {
  Result<std::vector<backend::Connection*>> all = co_await enter_all(run, copy.shards, false);
  if (!all) co_return all.error();
  CopiedRows rows(run, copy.header, all->size());
  Fan fan(run.transaction, rows, run.output);
  if (!copy.text.sql.empty()) fan.drop_error_fields("P");
  for (backend::Connection* c : *all) {
    append_execution(*c, make_statement(copy.text, run.request.bound), {});
    append_sync(*c);
    c->send();
    fan.add(c);
  }
  SHOAL_CO_TRY(co_await fan.run());
  co_return rows.finish();
}

}  // namespace shoal::exec
