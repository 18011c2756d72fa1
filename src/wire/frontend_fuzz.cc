// A client's stream: every message that is accepted is written again exactly as it came.
#include <cstdint>
#include <cstdlib>

#include "wire/frontend.h"

using namespace shoal::wire;

namespace {

struct Writer {
  std::string& out;
  const Frame& frame;
  void operator()(const Query& m) { append_query(out, m.sql); }
  void operator()(const Parse& m) { append_parse(out, m.name, m.sql, m.types.to_vector()); }
  void operator()(const Bind& m) {
    append_bind(out, m.portal, m.statement, m.parameter_formats.to_vector(), m.values.to_vector(),
                m.result_formats.to_vector());
    std::string renamed;
    append_bind_renamed(renamed, frame, m.statement, m.portal);
    if (renamed != out) std::abort();
  }
  void operator()(const Describe& m) { append_describe(out, m.target, m.name); }
  void operator()(const Execute& m) { append_execute(out, m.portal, m.max_rows); }
  void operator()(const Close& m) { append_close(out, m.target, m.name); }
  void operator()(const Flush&) { append_flush(out); }
  void operator()(const Sync&) { append_sync(out); }
  void operator()(const CopyData& m) { append_copy_data(out, m.data); }
  void operator()(const CopyDone&) { append_copy_done(out); }
  void operator()(const CopyFail& m) { append_copy_fail(out, m.reason); }
  void operator()(const FunctionCall& m) {
    if (m.arguments.to_vector().size() != m.arguments.size()) std::abort();
    out = frame.bytes;
  }
  void operator()(const Terminate&) { out = frame.bytes; }
  void operator()(const AuthResponse& m) {
    (void)decode_password(m.body);
    (void)decode_sasl_initial(m.body);
    out = frame.bytes;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FrameReader reader(std::string_view(reinterpret_cast<const char*>(data), size), 1 << 16);
  while (true) {
    const FrameStep step = reader.next();
    const auto* frame = std::get_if<Frame>(&step);
    if (frame == nullptr) return 0;
    const auto message = decode_frontend(*frame);
    if (!message) continue;
    std::string again;
    std::visit(Writer{again, *frame}, *message);
    if (again != frame->bytes) std::abort();
  }
}
