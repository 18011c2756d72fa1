// Claims about due answers, as scripts. Words without '<' are sent: P B C E Q F S d c f H as in the
// protocol, Ds and Dp for Describe; '!' in front means swallow. Words with '<' arrive. Each arrival
// prints f(orward), s(wallow) or v(iolation), '.' when it ends its message, '!' when that message
// was injected, '*' when it is asynchronous.
#include "wire/responses.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <sstream>

namespace shoal::wire {
namespace {

std::string show(const PendingResponses::Verdict& v) {
  using Action = PendingResponses::Action;
  std::string out = v.action == Action::kForward ? "f" : v.action == Action::kSwallow ? "s" : "v";
  if (v.ends) out += '.';
  if (v.injected) out += '!';
  if (v.async) out += '*';
  return out;
}

std::string show(const PendingResponses& p) {
  std::string out = p.all_answered() ? "idle" : fmt::format("due={}", p.due());
  if (p.needs_sync()) {
    out += " needs-sync";
  } else if (p.skipping()) {
    out += " skipping";
  }
  if (p.in_copy_in()) out += " copy-in";
  if (p.in_copy_out()) out += " copy-out";
  if (!p.proved()) out += " unproved";
  return out;
}

std::string play(const std::string& script) {
  PendingResponses pending;
  std::istringstream words(script);
  std::string word, out;
  while (words >> word) {
    if (word[0] == '<') {
      for (const char type : word.substr(1)) out += show(pending.on(type)) + " ";
      continue;
    }
    const bool swallow = word[0] == '!';
    if (swallow) word.erase(0, 1);
    const PendingResponses::Options options{.swallow = swallow, .tag = 0};
    if (word == "Ds") {
      pending.sent_describe(Target::kStatement, options);
    } else if (word == "Dp") {
      pending.sent_describe(Target::kPortal, options);
    } else {
      pending.sent(word[0], options);
    }
  }
  return out + "| " + show(pending);
}

struct Case {
  const char* name;
  const char* script;
  const char* expected;
};

void check(std::span<const Case> cases) {
  for (const Case& c : cases) EXPECT_EQ(play(c.script), c.expected) << c.name;
}

TEST(ResponsesTest, extended_messages_are_answered_one_by_one) {
  const Case cases[] = {
      {"nothing", "", "| idle"},
      {"one statement", "P B E S <12DDCZ", "f. f. f f f. f. | idle"},
      {"waiting", "P B E S <12D", "f. f. f | due=2"},
      {"described", "P Ds B Dp E S <1tT2nCZ", "f. f f. f. f. f. f. | idle"},
      {"statement without rows", "P Ds S <1tnZ", "f. f f. f. | idle"},
      {"closed", "C C S <33Z", "f. f. f. | idle"},
      {"empty", "P B E S <12IZ", "f. f. f. f. | idle"},
      {"suspended and resumed", "B E S <2DsZ E S <DCZ", "f. f f. f. f f. f. | idle"},
      {"flush without sync", "P B E H <12C", "f. f. f. | idle"},
      {"two batches in flight", "P B E S P B E S <12CZ12CZ", "f. f. f. f. f. f. f. f. | idle"},
      {"asynchronous in between", "P S <NS1AZ", "f* f* f. f* f. | idle"},
      {"asynchronous while idle", "<NSA", "f* f* f* | idle"},
  };
  check(cases);
}

TEST(ResponsesTest, an_error_skips_to_the_next_sync_exactly) {
  const Case cases[] = {
      {"in parse", "P B E S <EZ", "f. f. | idle"},
      {"in the middle", "P B E P B E S <12CEZ", "f. f. f. f. f. | idle"},
      {"the next batch still comes", "P B E S P B E S <EZ12CZ", "f. f. f. f. f. f. | idle"},
      {"waiting for ready", "P B E S <E", "f. | due=1 skipping"},
      {"sync was not sent yet", "P B E <E", "f. | due=0 needs-sync"},
      {"messages behind it are ignored", "P H <E B E Q F", "f. | due=0 needs-sync"},
      {"until a sync is sent", "P H <E B E Q S <Z", "f. f. | idle"},
      {"and the machine works on", "P <E B E S P S <Z1Z", "f. f. f. f. | idle"},
      {"a query is skipped too", "P Q S <EZ", "f. f. | idle"},
      {"after rows", "B E S <2DDEZ", "f. f f f. f. | idle"},
      {"between t and T", "Ds S <tEZ", "f f. f. | idle"},
      {"sync itself fails (deferred constraint)", "B E S <2CEZ", "f. f. f f. | idle"},
      {"only one sync is skipped to", "P S S <EZZ", "f. f. f. | idle"},
  };
  check(cases);
}

TEST(ResponsesTest, a_query_is_answered_until_ready) {
  const Case cases[] = {
      {"rows", "Q <TDDCZ", "f f f f f. | idle"},
      {"no rows", "Q <TCZ", "f f f. | idle"},
      {"several statements", "Q <CTDCIZ", "f f f f f f. | idle"},
      {"empty", "Q <IZ", "f f. | idle"},
      {"error", "Q <EZ", "f f. | idle"},
      {"error after some results", "Q <CTDEZ", "f f f f f. | idle"},
      {"pipelined queries", "Q Q <CZEZ", "f f. f f. | idle"},
      {"a later query runs although the first failed", "Q Q <EZTCZ", "f f. f f f. | idle"},
      {"function call", "F <VZ", "f f. | idle"},
      {"function call fails", "F <EZ", "f f. | idle"},
  };
  check(cases);
}

TEST(ResponsesTest, what_may_not_come_is_a_violation) {
  const Case cases[] = {
      {"rows for nobody", "<D", "v | idle unproved"},
      {"error for nobody", "<E", "v | idle unproved"},
      {"ready for nobody", "<Z", "v | idle unproved"},
      {"wrong order", "P B S <2", "v | due=3 unproved"},
      {"ready too early", "P S <Z", "v | due=2 unproved"},
      {"query without any result", "Q <Z", "v | due=1 unproved"},
      {"rows without a description", "Q <D", "v | due=1 unproved"},
      {"ready in the middle of rows", "Q <TZ", "f v | due=1 unproved"},
      {"description in execute", "E S <T", "v | due=2 unproved"},
      {"T before t", "Ds S <T", "v | due=2 unproved"},
      {"t twice", "Ds S <tt", "f v | due=2 unproved"},
      {"a second error", "P S <EE", "f. v | due=1 skipping unproved"},
      {"rows after an error", "Q <ED", "f v | due=1 skipping unproved"},
      {"copy data without a copy", "Q <d", "v | due=1 unproved"},
      {"two function results", "F <VV", "f v | due=1 unproved"},
      {"authentication", "Q <R", "v | due=1 unproved"},
      {"key data", "Q <K", "v | due=1 unproved"},
  };
  check(cases);
}

TEST(ResponsesTest, copy_in_follows_both_sides) {
  const Case cases[] = {
      {"simple", "Q <G d d c <CZ", "f f f. | idle"},
      {"asked for", "Q <G", "f | due=1 copy-in"},
      {"ending", "Q <G d c", "f | due=1"},
      {"done before it was asked for", "Q d c <GCZ", "f f f. | idle"},
      {"client gives up", "Q <G d f <EZ", "f f f. | idle"},
      {"server gives up, client goes on for a while", "Q <G d <E d d c <Z", "f f f. | idle"},
      {"server gives up after the end", "Q <G d c <EZ", "f f f. | idle"},
      {"refused before it began, client sends all the same", "Q d d c <EZ", "f f. | idle"},
      {"and the stray end does not spoil what follows", "Q d c Q <EZTCZ", "f f. f f f. | idle"},
      {"two in one query", "Q <G c <CG d c <CZ", "f f f f f. | idle"},
      {"tag before the client ended", "Q <GC", "f v | due=1 copy-in unproved"},
      {"extended", "P B E H <12G d c S <CZ", "f. f. f f. f. | idle"},
      {"extended, client gives up", "B E H <2G f S <EZ", "f. f f. f. | idle"},
      {"extended, server gives up", "B E H <2G d <E d c S <Z", "f. f f. f. | idle"},
      {"rows during a copy", "Q <GD", "f v | due=1 copy-in unproved"},
      {"ready during a copy", "Q <GZ", "f v | due=1 copy-in unproved"},
  };
  check(cases);
}

TEST(ResponsesTest, a_sync_inside_copy_in_is_eaten) {
  const Case cases[] = {
      {"sent before the server asked", "B E S <2G d c S <CZ", "f. f f. f. | idle"},
      {"sent while it reads", "B E H <2G S d S c S <CZ", "f. f f. f. | idle"},
      {"refused before it began: the sync counts", "B E S <2EZ", "f. f. f. | idle"},
      {"all sent at once", "B E S d c S <2GCZ", "f. f f. f. | idle"},
      {"an error may have come before or after it", "B E S <2G d <E c S",
       "f. f f. | due=1 skipping unproved"},
      {"a sync after the end is certain", "B E H <2G d c S <EZ", "f. f f. f. | idle"},
  };
  check(cases);
}

TEST(ResponsesTest, copy_out_follows_the_server) {
  const Case cases[] = {
      {"simple", "Q <HddcCZ", "f f f f f f. | idle"},
      {"under way", "Q <Hd", "f f | due=1 copy-out"},
      {"error in the middle", "Q <HddEZ", "f f f f f. | idle"},
      {"extended", "B E S <2HdcCZ", "f. f f f f. f. | idle"},
      {"no end of data", "Q <HdC", "f f v | due=1 copy-out unproved"},
      {"then another statement", "Q <HcCTDCZ", "f f f f f f f. | idle"},
      {"both directions", "Q <Wdd c <cCZ", "f f f f f f. | idle"},
  };
  check(cases);
}

TEST(ResponsesTest, answers_to_injected_messages_are_swallowed) {
  const Case cases[] = {
      {"parse in front of the client's bind", "!P B E S <12CZ", "s.! f. f. f. | idle"},
      {"query in front", "!Q Q <CZTDCZ", "s! s.! f f f f. | idle"},
      {"rows of an injected query", "!Q <TDCZ", "s! s! s! s.! | idle"},
      {"sync", "P B E !S <12CZ", "f. f. f. s.! | idle"},
      {"an injected parse fails: the client must see why", "!P B E S <EZ", "f.! f. | idle"},
      {"an injected query fails: the client's own still runs", "!Q Q <EZCZ", "s! s.! f f. | idle"},
      {"an injected sync fails", "B E !S <2CEZ", "f. f. f! s.! | idle"},
      {"notices of injected messages are forwarded", "!Q <NCZ", "f* s! s.! | idle"},
      {"close", "!C P S <31Z", "s.! f. f. | idle"},
  };
  check(cases);
}

TEST(ResponsesTest, tags_come_back_with_the_answers) {
  PendingResponses pending;
  for (std::uint32_t tag = 1; const char type : {'P', 'B', 'E', 'S'}) {
    pending.sent(type, {.swallow = false, .tag = tag++});
  }
  EXPECT_EQ(pending.ready_due(), 1u);
  EXPECT_EQ(pending.on('1').tag, 1u);
  EXPECT_EQ(pending.on('E').tag, 2u);
  EXPECT_EQ(pending.on('Z').tag, 4u);
  EXPECT_EQ(pending.ready_due(), 0u);
}

TEST(ResponsesTest, thousands_of_messages_may_be_due) {
  PendingResponses pending;
  std::uint32_t sent = 0, answered = 0;
  // The ring grows while its first entry is not at the front.
  for (int round = 0; round < 2000; ++round) {
    for (int i = 0; i < 3; ++i) pending.sent('P', {.swallow = sent % 2 == 1, .tag = sent}), ++sent;
    for (int i = 0; i < 2; ++i) {
      const auto verdict = pending.on('1');
      ASSERT_EQ(verdict.tag, answered);
      ASSERT_EQ(verdict.injected, answered % 2 == 1);
      ++answered;
    }
  }
  EXPECT_EQ(pending.due(), 2000u);
  pending.sent('S');
  EXPECT_EQ(pending.on('E').tag, answered);
  EXPECT_EQ(pending.due(), 1u);
  pending.on('Z');
  EXPECT_TRUE(pending.all_answered());
}

TEST(ResponsesTest, frames_are_followed_as_the_client_sent_them) {
  std::string bytes;
  append_parse(bytes, "", "select 1");
  append_describe(bytes, Target::kStatement, "");
  append_bind(bytes, "", "", {}, {}, {});
  append_describe(bytes, Target::kPortal, "");
  append_execute(bytes, "");
  append_sync(bytes);
  PendingResponses pending;
  FrameReader reader(bytes, 1000);
  for (FrameStep step = reader.next(); std::holds_alternative<Frame>(step); step = reader.next()) {
    pending.sent_frame(std::get<Frame>(step));
  }
  EXPECT_EQ(pending.due(), 6u);
  for (const char type : std::string_view("1tT2TDCZ")) {
    ASSERT_EQ(pending.on(type).action, PendingResponses::Action::kForward) << type;
  }
  EXPECT_TRUE(pending.all_answered());
}

}  // namespace
}  // namespace shoal::wire
