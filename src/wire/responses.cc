// The state machine behind PendingResponses; its grammar stands in responses.h.
#include "wire/responses.h"

#include <utility>

namespace shoal::wire {

using Verdict = PendingResponses::Verdict;

// ---- the ring ---------------------------------------------------------------------------------

const PendingResponses::Entry& PendingResponses::at(std::size_t i) const {
  if (many_.empty()) return few_[(first_ + i) % few_.size()];
  return many_[(first_ + i) % many_.size()];
}

PendingResponses::Entry& PendingResponses::at(std::size_t i) {
  return const_cast<Entry&>(std::as_const(*this).at(i));
}

void PendingResponses::push(Kind kind, Options options) {
  const std::size_t capacity = many_.empty() ? few_.size() : many_.size();
  if (count_ == capacity) {
    std::vector<Entry> larger(capacity * 2);
    for (std::size_t i = 0; i < count_; ++i) larger[i] = at(i);
    many_ = std::move(larger);
    first_ = 0;
  }
  ++count_;
  at(count_ - 1) = Entry{kind, options.swallow, options.tag, 0};
  if (has_ready(kind)) ++ready_due_;
}

void PendingResponses::pop() {
  if (has_ready(at(0).kind)) --ready_due_;
  first_ = (first_ + 1) % (many_.empty() ? few_.size() : many_.size());
  if (--count_ == 0) first_ = 0;
}

void PendingResponses::erase(std::size_t i) {
  if (has_ready(at(i).kind)) --ready_due_;
  for (; i + 1 < count_; ++i) at(i) = at(i + 1);
  --count_;
}

// A CopyDone that no COPY took is ignored by the server: nothing answers it.
void PendingResponses::drop_silent() {
  while (count_ > 0 && at(0).kind == Kind::kCopyEnd) pop();
}

// ---- what was sent ----------------------------------------------------------------------------

void PendingResponses::sent(char type, Options options) {
  switch (type) {
    case 'P':
      return add(Kind::kParse, options);
    case 'B':
      return add(Kind::kBind, options);
    case 'C':
      return add(Kind::kClose, options);
    case 'E':
      return add(Kind::kExecute, options);
    case 'Q':
      return add(Kind::kQuery, options);
    case 'F':
      return add(Kind::kFunctionCall, options);
    case 'S':
      return add_sync(options);
    case 'c':
    case 'f':
      return end_of_copy_from_client();
    default:
      return;
  }
}

void PendingResponses::sent_describe(Target target, Options options) {
  add(target == Target::kStatement ? Kind::kDescribeStatement : Kind::kDescribePortal, options);
}

void PendingResponses::sent_frame(const Frame& frame, Options options) {
  if (frame.type != 'D') return sent(frame.type, options);
  // A malformed Describe is answered by an error, as any kind of Describe may be.
  const bool portal = !frame.body.empty() && frame.body[0] == 'P';
  sent_describe(portal ? Target::kPortal : Target::kStatement, options);
}

void PendingResponses::add(Kind kind, Options options) {
  if (!skipping_) push(kind, options);
}

void PendingResponses::add_sync(Options options) {
  if (copy_ == Copy::kIn) {
    ++eaten_syncs_;
    return;
  }
  if (skipping_) {
    skipping_ = false;
    errored_ = true;
  }
  push(Kind::kSync, options);
}

void PendingResponses::end_of_copy_from_client() {
  if (copy_ == Copy::kIn) {
    copy_ = Copy::kInEnding;
  } else if (count_ > 0 && !skipping_) {
    push(Kind::kCopyEnd, Options{});
  }
}

bool PendingResponses::is(Kind kind, char type) {
  switch (kind) {
    case Kind::kParse:
      return type == 'P';
    case Kind::kBind:
      return type == 'B';
    case Kind::kClose:
      return type == 'C';
    case Kind::kDescribeStatement:
    case Kind::kDescribePortal:
      return type == 'D';
    case Kind::kExecute:
      return type == 'E';
    case Kind::kQuery:
      return type == 'Q';
    case Kind::kFunctionCall:
      return type == 'F';
    case Kind::kSync:
      return type == 'S';
    case Kind::kCopyEnd:
      return type == 'c' || type == 'f';
  }
  return false;
}

bool PendingResponses::insert_describe(std::string_view later, Target target, std::uint32_t note) {
  std::size_t place = count_;
  for (std::size_t i = later.size(); i > 0; --i) {
    const char type = later[i - 1];
    const bool answered = std::string_view("PBCDEQFS").find(type) != std::string_view::npos;
    const bool match = place > 0 && is(at(place - 1).kind, type);
    if (match)
      --place;
    else if (answered)
      return false;
  }
  if (place == count_) return false;
  const Entry before = at(place);
  push(Kind::kDescribeStatement, Options{});
  for (std::size_t i = count_ - 1; i > place; --i) at(i) = at(i - 1);
  const Kind kind = target == Target::kStatement ? Kind::kDescribeStatement : Kind::kDescribePortal;
  at(place) = Entry{kind, false, before.tag, note};
  return true;
}

std::uint32_t PendingResponses::note() const {
  return count_ == 0 ? 0 : at(0).note;
}

bool PendingResponses::holds_note(std::uint32_t note) const {
  for (std::size_t i = 0; i < count_; ++i)
    if (at(i).note == note) return true;
  return false;
}

// ---- what arrives -----------------------------------------------------------------------------

Verdict PendingResponses::violation() {
  proved_ = false;
  return Verdict{};
}

Verdict PendingResponses::answer(bool ends) {
  const Entry head = at(0);
  if (ends) {
    pop();
    described_ = false;
    drop_silent();
  }
  const bool hide = head.swallow || head.note != 0;
  return Verdict{.action = hide ? Action::kSwallow : Action::kForward,
                 .ends = ends,
                 .injected = head.swallow,
                 .async = false,
                 .tag = head.tag};
}

Verdict PendingResponses::on(char type) {
  if (type == 'N' || type == 'S' || type == 'A') {
    return Verdict{.action = Action::kForward, .async = true};
  }
  if (count_ == 0) return violation();
  if (type == 'Z') return on_ready();
  if (errored_) return violation();
  if (type == 'E') return on_error();
  if (copy_ != Copy::kNone) return on_copy(type);
  switch (at(0).kind) {
    case Kind::kParse:
      return type == '1' ? answer(true) : violation();
    case Kind::kBind:
      return type == '2' ? answer(true) : violation();
    case Kind::kClose:
      return type == '3' ? answer(true) : violation();
    case Kind::kDescribeStatement:
      return on_describe_statement(type);
    case Kind::kDescribePortal:
      return type == 'T' || type == 'n' ? answer(true) : violation();
    case Kind::kExecute:
      return on_execute(type);
    case Kind::kQuery:
      return on_query(type);
    case Kind::kFunctionCall:
      if (type != 'V' || answered_) return violation();
      answered_ = true;
      return answer(false);
    case Kind::kSync:
    case Kind::kCopyEnd:
      return violation();
  }
  return violation();
}

Verdict PendingResponses::on_describe_statement(char type) {
  if (!described_) {
    if (type != 't') return violation();
    described_ = true;
    return answer(false);
  }
  return type == 'T' || type == 'n' ? answer(true) : violation();
}

Verdict PendingResponses::on_execute(char type) {
  if (type == 'D') return answer(false);
  if (type == 'C' || type == 'I' || type == 's') return answer(true);
  return begin_copy(type);
}

Verdict PendingResponses::on_query(char type) {
  switch (type) {
    case 'T':
      if (described_) return violation();
      described_ = true;
      return answer(false);
    case 'D':
      return described_ ? answer(false) : violation();
    case 'C':
    case 'I':
      described_ = false;
      answered_ = true;
      return answer(false);
    default:
      return described_ ? violation() : begin_copy(type);
  }
}

Verdict PendingResponses::on_error() {
  const Entry head = at(0);
  const bool skips_others = head.kind != Kind::kQuery && head.kind != Kind::kFunctionCall;
  const bool hide = head.swallow && !skips_others;
  const Verdict verdict{.action = hide ? Action::kSwallow : Action::kForward,
                        .ends = !has_ready(head.kind),
                        .injected = head.swallow,
                        .async = false,
                        .tag = head.tag};
  if (eaten_syncs_ > 0) proved_ = false;
  copy_ = Copy::kNone;
  eaten_syncs_ = 0;
  described_ = false;
  if (skips_others) {
    while (count_ > 0 && at(0).kind != Kind::kSync) pop();
    skipping_ = count_ == 0;
  }
  errored_ = !skipping_;
  return verdict;
}

Verdict PendingResponses::on_ready() {
  const Kind kind = at(0).kind;
  if (!has_ready(kind) || copy_ != Copy::kNone || described_) return violation();
  if (kind != Kind::kSync && !answered_ && !errored_) return violation();
  errored_ = false;
  answered_ = false;
  return answer(true);
}

// ---- COPY -------------------------------------------------------------------------------------

Verdict PendingResponses::begin_copy(char type) {
  switch (type) {
    case 'G':
      begin_copy_in();
      return answer(false);
    case 'H':
      copy_ = Copy::kOut;
      return answer(false);
    case 'W':
      copy_ = Copy::kBoth;
      return answer(false);
    default:
      return violation();
  }
}

// From here on the server reads copy data: what was sent behind the COPY and before its end is
// eaten when it is a Sync (and is an error when it is anything else).
void PendingResponses::begin_copy_in() {
  copy_ = Copy::kIn;
  while (count_ > 1) {
    const Kind next = at(1).kind;
    if (next != Kind::kSync && next != Kind::kCopyEnd) return;
    erase(1);
    if (next == Kind::kCopyEnd) {
      copy_ = Copy::kInEnding;
      return;
    }
    ++eaten_syncs_;
  }
}

Verdict PendingResponses::on_copy(char type) {
  const bool from_server = copy_ == Copy::kOut || copy_ == Copy::kBoth;
  if (from_server && type == 'd') return answer(false);
  if (from_server && type == 'c') {
    // After both directions a result and more than one tag may follow: a Query's ordinary answers.
    copy_ = copy_ == Copy::kBoth ? Copy::kNone : Copy::kOutEnding;
    return answer(false);
  }
  const bool may_end = copy_ == Copy::kInEnding || copy_ == Copy::kOutEnding;
  if (type != 'C' || !may_end) return violation();
  copy_ = Copy::kNone;
  eaten_syncs_ = 0;
  answered_ = at(0).kind == Kind::kQuery;
  return answer(at(0).kind == Kind::kExecute);
}

}  // namespace shoal::wire
