// A server's stream, and what the client sent before: no frame may break a decoder, and the account
// of due answers stays consistent whatever a hostile server sends. The first byte says how many of
// the following bytes are types of messages that were sent.
#include <cstdint>
#include <cstdlib>

#include "wire/backend.h"
#include "wire/responses.h"

using namespace shoal::wire;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void decode_rows(const Frame& frame) {
  if (const auto rows = decode_row_description(frame.body); rows && frame.type == 'T') {
    std::string again;
    append_row_description(again, rows->columns);
    require(again == frame.bytes);
  }
  if (const auto row = decode_data_row(frame.body); row && frame.type == 'D') {
    std::string again;
    append_data_row(again, row->values.to_vector());
    require(again == frame.bytes);
  }
}

void decode_all(const Frame& frame) {
  decode_rows(frame);
  if (const auto fields = decode_error_fields(frame.body)) {
    std::string again;
    append_error_fields(again, 'E', *fields);
    require(again.substr(kHeaderBytes) == frame.body);
    require(error_from(*fields).sqlstate.size() == 5);
  }
  if (const auto tag = decode_command_complete(frame.body)) (void)print_tag(parse_tag(tag->tag));
  if (const auto auth = decode_authentication(frame.body)) (void)sasl_mechanisms(*auth);
  if (const auto copy = decode_copy_response(frame.body)) (void)copy->columns.to_vector();
  if (const auto types = decode_parameter_description(frame.body)) (void)types->types.to_vector();
  (void)decode_parameter_status(frame.body);
  (void)decode_backend_key_data(frame.body);
  (void)decode_ready(frame.body);
  (void)decode_notification(frame.body);
  (void)decode_negotiate(frame.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const std::size_t sent = std::min<std::size_t>(data[0], size - 1);
  PendingResponses pending;
  for (const char type : rest.substr(1, sent)) {
    if (type == 'D') {
      pending.sent_describe(Target::kPortal);
    } else {
      pending.sent(type);
    }
  }
  require(pending.due() <= sent && pending.ready_due() <= pending.due());
  FrameReader reader(rest.substr(1 + sent), 1 << 16);
  while (true) {
    const FrameStep step = reader.next();
    const auto* frame = std::get_if<Frame>(&step);
    if (frame == nullptr) return 0;
    decode_all(*frame);
    const std::size_t before = pending.due();
    const auto verdict = pending.on(frame->type);
    require(pending.due() <= before && pending.ready_due() <= pending.due());
    if (verdict.action == PendingResponses::Action::kViolation) {
      require(!pending.proved());
      return 0;
    }
  }
}
