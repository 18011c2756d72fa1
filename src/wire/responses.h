// Which answers a server still owes. Tell it every message as it is sent and every frame as it
// arrives; it says what to do with the frame and when nothing is due any more.
//
//   Parse -> 1    Bind -> 2    Close -> 3    Describe statement -> t (T|n)    portal -> T|n
//   Execute -> D* (C|I|s), or COPY   Sync -> Z    Query -> (T D* C | C | I | COPY C)* Z
//   FunctionCall -> V Z
//   COPY in: G C    COPY out: H d* c C    COPY both: W d* c? C
//   E ends any of them. After an extended message's E nothing is answered up to the next Sync's Z;
//   after a Query's, FunctionCall's or Sync's E comes its Z.
//   N, S (ParameterStatus) and A may come at any time.
//
// A server in COPY in eats Sync and Flush. When an error strikes there, it can't be known from
// outside whether such a Sync was eaten or will be answered: proved() then turns false, and the
// connection must be destroyed. Who sends no Sync between Execute and CopyDone never meets this.
//
// Start-up and authentication are not its matter. Pure; one owner; no allocation below 16 due
// messages.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "wire/frontend.h"

namespace shoal::wire {

class PendingResponses {
 public:
  enum class Action : std::uint8_t {
    kForward,    // belongs to the client's own message (or is asynchronous)
    kSwallow,    // answers a message that the router put in
    kViolation,  // the server may not send this now: destroy the connection
  };
  struct Verdict {
    Action action = Action::kViolation;
    bool ends = false;      // the message that it answers is answered completely
    bool injected = false;  // that message was sent with swallow
    bool async = false;     // N, S or A: answers nothing
    std::uint32_t tag = 0;  // the tag of that message
  };
  struct Options {
    // The router put this message in: its answers must not reach the client. An error is forwarded
    // all the same when it makes the server skip the client's messages too (all but Query and
    // FunctionCall): the client must see why; `injected` tells.
    bool swallow = false;
    // Comes back in verdicts. With rising tags, an E of tag t means that all later tags up to the
    // next Sync's were not executed.
    std::uint32_t tag = 0;
  };

  // A message was (or is about to be) sent. Describe needs its target; types that are never
  // answered (CopyData, Flush, Terminate) may be reported or left out. CopyDone and CopyFail must
  // be reported.
  void sent(char type, Options options);
  void sent(char type) { sent(type, Options{}); }
  void sent_describe(Target target, Options options);
  void sent_describe(Target target) { sent_describe(target, Options{}); }
  // The same for a frame as a client sent it.
  void sent_frame(const Frame& frame, Options options);
  void sent_frame(const Frame& frame) { sent_frame(frame, Options{}); }

  // Puts a Describe of the router's own in front of messages that were reported already but are
  // not on their way yet. `later`: the types of all messages from that place to the end, in order.
  // Its answers are swallowed; its error is that of the message behind it. False, and nothing
  // changes, when `later` is not what is due.
  bool insert_describe(std::string_view later, Target target, std::uint32_t note);
  // The note of the inserted Describe whose answer comes next; 0: another message's.
  std::uint32_t note() const;
  bool holds_note(std::uint32_t note) const;  // its answer is still due

  Verdict on(char backend_type);

  // Nothing is due. (Messages that were sent behind an error and before any Sync are not due; see
  // skipping().)
  bool all_answered() const { return count_ == 0 && !skipping_; }
  // An error came; the server ignores (or ignored) everything up to a Sync whose Z is still due.
  bool skipping() const { return skipping_ || errored_; }
  // No Sync was sent yet since that error: the server waits for one.
  bool needs_sync() const { return skipping_; }
  // The server waits for CopyData, CopyDone or CopyFail.
  bool in_copy_in() const { return copy_ == Copy::kIn; }
  bool in_copy_out() const { return copy_ == Copy::kOut || copy_ == Copy::kBoth; }
  // False: the state of the connection can't be known; never hand it to another client.
  bool proved() const { return proved_; }
  // Messages that still await an answer.
  std::size_t due() const { return count_; }
  // Sync, Query and FunctionCall among them: how many Z will come.
  std::size_t ready_due() const { return ready_due_; }
  void clear() { *this = PendingResponses(); }

 private:
  enum class Kind : std::uint8_t {
    kParse,
    kBind,
    kClose,
    kDescribeStatement,
    kDescribePortal,
    kExecute,
    kQuery,
    kFunctionCall,
    kSync,
    kCopyEnd,  // CopyDone or CopyFail sent before the server asked for data: answered by nothing
  };
  enum class Copy : std::uint8_t { kNone, kIn, kInEnding, kOut, kOutEnding, kBoth };
  struct Entry {
    Kind kind = Kind::kSync;
    bool swallow = false;
    std::uint32_t tag = 0;
    std::uint32_t note = 0;  // of an inserted Describe
  };

  void push(Kind kind, Options options);
  void pop();
  void erase(std::size_t i);
  void add(Kind kind, Options options);
  void add_sync(Options options);
  Entry& at(std::size_t i);
  const Entry& at(std::size_t i) const;
  static bool is(Kind kind, char type);
  Verdict answer(bool ends);
  Verdict violation();
  Verdict on_error();
  Verdict on_ready();
  Verdict on_describe_statement(char type);
  Verdict on_execute(char type);
  Verdict on_query(char type);
  Verdict begin_copy(char type);
  Verdict on_copy(char type);
  void begin_copy_in();
  void end_of_copy_from_client();
  void drop_silent();
  static bool has_ready(Kind kind) {
    return kind == Kind::kSync || kind == Kind::kQuery || kind == Kind::kFunctionCall;
  }

  std::array<Entry, 16> few_{};
  std::vector<Entry> many_;  // used once more than 16 are due
  std::size_t first_ = 0, count_ = 0;
  std::size_t ready_due_ = 0;
  std::uint32_t eaten_syncs_ = 0;  // sent into the COPY that runs now
  Copy copy_ = Copy::kNone;
  bool described_ = false;  // Describe statement: t came. Query: T came, rows may follow
  bool answered_ = false;   // Query, FunctionCall: something that allows Z came
  bool errored_ = false;    // E came, only Z may follow
  bool skipping_ = false;   // E came, and no Sync was sent since
  bool proved_ = true;
};

}  // namespace shoal::wire
