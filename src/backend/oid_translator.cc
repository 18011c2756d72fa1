// Following both directions of one connection.
#include "backend/oid_translator.h"

#include <algorithm>

#include "wire/bytes.h"
#include "wire/frontend.h"

namespace shoal::backend {
namespace {

std::string_view view(wire::Bytes body) {
  return {body.data(), body.size()};
}

// The size of the message at the front; 0 when it is not whole.
std::size_t size_of(std::string_view text) {
  if (text.size() < wire::kHeaderBytes) return 0;
  const std::size_t size = 1 + std::size_t{wire::Cursor(text.substr(1, 4)).u32()};
  return size < wire::kHeaderBytes || size > text.size() ? 0 : size;
}

void append_types(std::string& types, std::string_view text) {
  for (std::size_t size = size_of(text); size > 0; size = size_of(text)) {
    types += text.front();
    text.remove_prefix(size);
  }
}

// The part up to the first Sync, with it.
std::size_t end_of_pipeline(std::string_view text) {
  std::size_t at = 0;
  while (std::size_t size = size_of(text.substr(at))) {
    const bool last = text[at] == 'S';
    at += size;
    if (last) break;
  }
  return at;
}

// Formats as Bind has them: none, one for all, or each its own.
class Formats {
 public:
  explicit Formats(wire::Cursor& in)
      : count_(in.u16()), codes_(in.bytes(std::size_t{2} * count_)) {}
  bool binary(std::size_t i) const {
    if (count_ == 0 || (count_ > 1 && i >= count_) || codes_.empty()) return false;
    return codes_[2 * (count_ == 1 ? 0 : i) + 1] == 1;
  }
  bool any_binary() const { return codes_.find('\1') != std::string_view::npos; }

 private:
  std::size_t count_;
  std::string_view codes_;
};

}  // namespace

bool OidTranslator::outgoing(std::string& out, wire::PendingResponses& pending) {
  if (holding()) {
    held_ += out;
    out.clear();
    return true;
  }
  return translate(out, 0, {}, pending);
}

bool OidTranslator::release(std::string& out, std::string_view behind,
                            wire::PendingResponses& pending) {
  if (!holding() || pending.holds_note(held_for_)) return true;
  out = std::exchange(held_, {});
  // Behind an error the server drops everything up to Sync: nothing there needs an answer.
  const std::size_t dropped = pending.skipping() ? end_of_pipeline(out) : 0;
  return translate(out, dropped, behind, pending);
}

bool OidTranslator::translate(std::string& out, std::size_t from, std::string_view behind,
                              wire::PendingResponses& pending) {
  for (std::size_t at = from; at < out.size();) {
    const std::size_t size = size_of(std::string_view(out).substr(at));
    if (size == 0) return false;
    const wire::Bytes body(out.data() + at + wire::kHeaderBytes, size - wire::kHeaderBytes);
    const Step step = on_message(out[at], body);
    if (step.kind == Step::Kind::kPass) {
      at += size;
      continue;
    }
    const std::size_t before = out.size();
    const Inserted inserted = insert(out, at, step, behind, pending);
    // What can't be described is not sent: its values might be taken for other types'.
    if (inserted == Inserted::kImpossible) return false;
    at += out.size() - before;
    if (inserted == Inserted::kYes && step.kind == Step::Kind::kDescribeAndHold) {
      held_ = out.substr(at);
      out.resize(at);
      return true;
    }
    at += size;
  }
  return true;
}

OidTranslator::Inserted OidTranslator::insert(std::string& out, std::size_t at, const Step& step,
                                              std::string_view behind,
                                              wire::PendingResponses& pending) {
  std::string later;
  append_types(later, std::string_view(out).substr(at));
  const std::size_t own = later.size();
  append_types(later, behind);
  const std::uint32_t note = next_note_;
  // Whether what lies behind was reported already is its sender's matter.
  if (!pending.insert_describe(later, step.target, note) &&
      !pending.insert_describe(std::string_view(later).substr(0, own), step.target, note)) {
    // Behind an error that came meanwhile the server answers nothing up to Sync.
    return pending.skipping() ? Inserted::kNotNeeded : Inserted::kImpossible;
  }
  ++next_note_;
  std::string message;
  wire::append_describe(message, step.target, step.name);
  if (step.target == wire::Target::kStatement) asked_[note] = step.name;
  if (step.kind == Step::Kind::kDescribeAndHold) {
    held_for_ = note;
    wire::append_flush(message);
  }
  out.insert(at, message);
  return Inserted::kYes;
}

OidTranslator::Step OidTranslator::on_message(char type, wire::Bytes body) {
  switch (type) {
    case 'P':
      on_parse(body);
      break;
    case 'B':
      return on_bind(body);
    case 'E':
      return on_execute(wire::Cursor(view(body)).cstring());
    case 'D':
      described_ = Described::kNone;  // a statement's has no formats
      if (!body.empty() && body[0] == 'P') {
        described_ = Described::kPortal;
        described_portal_ = wire::Cursor(view(body).substr(1)).cstring();
      }
      break;
    case 'C':
      on_close(view(body));
      break;
    case 'Q':
    case 'F':
      statements_.erase("");
      [[fallthrough]];
    case 'S':
      described_ = Described::kNone;
      break;
    default:
      break;
  }
  return {};
}

void OidTranslator::on_parse(wire::Bytes body) {
  wire::Cursor in(view(body));
  Statement& s = statements_[std::string(in.cstring())];
  s = Statement();
  in.cstring();
  for (std::uint32_t n = in.u16(); in.ok() && n > 0; --n) s.params.push_back(in.u32());
  (void)wire::map_parse(body, map_->to_shard);  // the server itself says what is wrong with it
}

OidTranslator::Step OidTranslator::on_bind(wire::Bytes body) {
  wire::Cursor in(view(body));
  const std::string_view portal = in.cstring();
  const std::string_view name = in.cstring();
  const Formats formats(in);
  const std::size_t values = in.u16();
  bool known = true;
  Statement* s = nullptr;
  if (formats.any_binary()) {
    s = &statements_.try_emplace(std::string(name)).first->second;
    for (std::size_t i = 0; i < values && known; ++i)
      known = !formats.binary(i) || s->described || (i < s->params.size() && s->params[i] != 0);
    if (!known) return {Step::Kind::kDescribeAndHold, wire::Target::kStatement, name};
  }
  for (std::size_t i = 0; i < values && in.ok(); ++i)
    if (const std::int32_t length = in.i32(); length > 0)
      in.bytes(static_cast<std::size_t>(length));
  const Formats results(in);
  bool harmless = true, ask = false;
  if (results.any_binary()) {
    if (!s) s = &statements_.try_emplace(std::string(name)).first->second;
    harmless = s->described;
    for (std::size_t i = 0; i < s->columns.size(); ++i)
      if (s->columns[i] != 0 && results.binary(i)) harmless = false;
    ask = !s->described && !name.empty() && !std::exchange(s->asked, true);
  }
  if (s && formats.any_binary()) (void)wire::map_bind(body, s->params, map_->to_shard);
  if (portal.empty())
    unnamed_harmless_ = harmless;
  else
    portals_[std::string(portal)] = harmless;
  if (described_ == Described::kPortal && described_portal_ == portal)
    described_ = Described::kOther;
  if (ask) return {Step::Kind::kDescribe, wire::Target::kStatement, name};
  return {};
}

bool OidTranslator::harmless(std::string_view portal) const {
  if (portal.empty()) return unnamed_harmless_;
  const auto found = portals_.find(portal);
  return found != portals_.end() && found->second;
}

OidTranslator::Step OidTranslator::on_execute(std::string_view portal) {
  const Described before = std::exchange(described_, Described::kNone);
  if (before == Described::kPortal && described_portal_ == portal) return {};
  if (before == Described::kNone && harmless(portal)) return {};
  return {Step::Kind::kDescribe, wire::Target::kPortal, portal};
}

void OidTranslator::on_close(std::string_view body) {
  if (body.empty()) return;
  const std::string_view name = wire::Cursor(body.substr(1)).cstring();
  if (body[0] == 'S') {
    if (const auto found = statements_.find(name); found != statements_.end())
      statements_.erase(found);
    return;
  }
  if (const auto found = portals_.find(name); found != portals_.end()) portals_.erase(found);
  if (described_ == Described::kPortal && described_portal_ == name) described_ = Described::kOther;
}

bool OidTranslator::incoming(char type, wire::Bytes body, const wire::PendingResponses& pending) {
  switch (type) {
    case 'D':
      return columns_.empty() || wire::map_data_row(body, columns_, map_->to_home);
    case 'T':
      return on_row_description(body, pending.note());
    case 't':
      return on_parameters(body, pending.note());
    case 'n':
      if (const auto asked = asked_.find(pending.note()); asked != asked_.end()) {
        statements_[asked->second].described = true;
        asked_.erase(asked);
      }
      [[fallthrough]];
    case 'C':
    case 'I':
    case 's':
    case 'E':
      columns_.clear();
      return true;
    case 'Z':
      on_ready(body, pending);
      return true;
    default:
      return true;
  }
}

bool OidTranslator::on_row_description(wire::Bytes body, std::uint32_t note) {
  const auto asked = note == 0 ? asked_.end() : asked_.find(note);
  if (asked == asked_.end()) return wire::map_row_description(body, map_->to_home, columns_);
  columns_.clear();
  Statement& s = statements_[asked->second];
  asked_.erase(asked);
  s.described = true;
  return wire::map_row_description(body, map_->to_home, s.columns, true);
}

bool OidTranslator::on_parameters(wire::Bytes body, std::uint32_t note) {
  if (!wire::map_parameter_description(body, map_->to_home)) return false;
  const auto asked = note == 0 ? asked_.end() : asked_.find(note);
  if (asked == asked_.end()) return true;
  Statement& s = statements_[asked->second];
  s.params.clear();
  wire::Cursor in(view(body));
  for (std::uint32_t n = in.u16(); in.ok() && n > 0; --n) s.params.push_back(in.u32());
  return true;
}

void OidTranslator::on_ready(wire::Bytes body, const wire::PendingResponses& pending) {
  columns_.clear();
  if (!asked_.empty())
    std::erase_if(asked_, [&](const auto& a) { return !pending.holds_note(a.first); });
  if (!portals_.empty() && !body.empty() && body[0] == 'I') portals_.clear();
}

}  // namespace shoal::backend
