#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "nolens/chat.h"

namespace nolens {
namespace {

constexpr const char* kCall = "<|tool_call>call:f{a:<|\"|>x<tool_call|>y<|\"|>}<tool_call|>";

/// One line that shows everything, calls as name(arguments)#id.
std::string shown(const ParsedOutput& output) {
  std::string result = "[" + output.reasoning + "] " + output.text;
  for (const ToolCall& call : output.tool_calls) {
    result += " " + call.name + "(" + call.arguments + ")#" + call.id;
  }
  return result;
}

void add(ParsedOutput& sum, const OutputParser::Delta& delta) {
  sum.reasoning += delta.reasoning;
  sum.text += delta.text;
  sum.tool_calls.insert(sum.tool_calls.end(), delta.tool_calls.begin(), delta.tool_calls.end());
}

TEST(OutputParser, TakesPlainTextForTheAnswer) {
  EXPECT_EQ(shown(parse_output("Hello <b>world</b> <|")), "[] Hello <b>world</b> <|");
  EXPECT_EQ(shown(parse_output("")), "[] ");
}

TEST(OutputParser, TakesAllOutputOfGemma3ForTheAnswerAtOnce) {
  const std::string text = "a<|channel>thought\nb<channel|><|tool_call>call:f{}<tool_call|><turn|>";
  EXPECT_EQ(shown(parse_output(text, ChatFamily::kGemma3)), "[] " + text);
  OutputParser parser(ChatFamily::kGemma3);
  EXPECT_EQ(parser.push("a<").text, "a<");
  EXPECT_EQ(parser.finish().text, "");
  EXPECT_EQ(parser.push("<|channel>x").text, "<|channel>x");
}

TEST(OutputParser, TrimsAllOutputOfATranscript) {
  const std::string text = "<|channel>thought\nb<channel|> <turn|>";
  EXPECT_EQ(shown(parse_output(" \t" + text + " \r\n", ChatFamily::kTranscript)), "[] " + text);
  EXPECT_EQ(shown(parse_output(" \n ", ChatFamily::kTranscript)), "[] ");
  OutputParser parser(ChatFamily::kTranscript);
  EXPECT_EQ(parser.push(" ").text, "");
  EXPECT_EQ(parser.push(" a ").text, "a");
  EXPECT_EQ(parser.push(" ").text, "");
  EXPECT_EQ(parser.push("b\n").text, "  b");
  EXPECT_EQ(parser.finish().text, "");
  EXPECT_EQ(parser.push(" c").text, "c");  // another answer
}

TEST(OutputParser, SplitsReasoningFromTheAnswer) {
  EXPECT_EQ(shown(parse_output("<|channel>thought\nLet me see.\n<channel|>Four.")),
            "[Let me see.] Four.");
  EXPECT_EQ(shown(parse_output("<|channel>thought\n<channel|>Four.")), "[] Four.");
  EXPECT_EQ(shown(parse_output("<|channel>thought\na\n\n<channel|>b")), "[a\n] b");
}

TEST(OutputParser, TakesAnUnfinishedChannelForReasoning) {
  EXPECT_EQ(shown(parse_output("<|channel>thought\nLet me")), "[Let me] ");
  EXPECT_EQ(shown(parse_output("<|channel>thou")), "[] ");
  EXPECT_EQ(shown(parse_output("<|channel>other\nx<channel|>y")), "[other\nx] y");
}

TEST(OutputParser, SeparatesSeveralChannelsByALineBreak) {
  EXPECT_EQ(shown(parse_output("<|channel>thought\na\n<channel|>x<|channel>thought\nb<channel|>y")),
            "[a\nb] xy");
}

TEST(OutputParser, ReadsToolCallsAfterText) {
  EXPECT_EQ(shown(parse_output(std::string("Sure.") + kCall + kCall + "<|tool_response>")),
            "[] Sure. f({\"a\":\"x<tool_call|>y\"})#call_0 f({\"a\":\"x<tool_call|>y\"})#call_1");
}

TEST(OutputParser, ShowsBrokenAndUnfinishedCallsAsText) {
  EXPECT_EQ(shown(parse_output("<|tool_call>call:f{a:bare}<tool_call|>!")),
            "[] <|tool_call>call:f{a:bare}<tool_call|>!");
  EXPECT_EQ(shown(parse_output("<|tool_call>call:f{a:1")), "[] <|tool_call>call:f{a:1");
  EXPECT_EQ(shown(parse_output("<|tool_call>call:f{a:<|\"|>x}<tool_call|>")),
            "[] <|tool_call>call:f{a:<|\"|>x}<tool_call|>");
}

TEST(OutputParser, DropsEndMarksAtTheEndOnly) {
  EXPECT_EQ(shown(parse_output("Done.<turn|>")), "[] Done.");
  EXPECT_EQ(shown(parse_output("Done.<turn|>\n<eos>")), "[] Done.");
  EXPECT_EQ(shown(parse_output("a<turn|> b")), "[] a<turn|> b");
  EXPECT_EQ(shown(parse_output("<|channel>thought\nhm\n<turn|>")), "[hm] ");
}

TEST(OutputParser, StreamsAsSoonAsItCan) {
  OutputParser parser;
  EXPECT_EQ(parser.push("ab").text, "ab");
  EXPECT_EQ(parser.push("c<").text, "c");
  EXPECT_EQ(parser.push("|chan").text, "");
  EXPECT_EQ(parser.push("x").text, "<|chanx");
  EXPECT_EQ(parser.push("<|channel>thought\nq").reasoning, "q");
  EXPECT_EQ(parser.push("r\n").reasoning, "r");
  EXPECT_EQ(parser.push("s").reasoning, "\ns");
  EXPECT_EQ(parser.push("<channel|>z").text, "z");
  const OutputParser::Delta delta = parser.push(kCall);
  EXPECT_EQ(delta.tool_calls.size(), 1U);
  EXPECT_EQ(parser.finish().text, "");
}

TEST(OutputParser, CanBeUsedAgainAfterFinish) {
  OutputParser parser;
  parser.push("<|channel>thought\nx");
  parser.finish();
  EXPECT_EQ(parser.push("y").text, "y");
  EXPECT_EQ(parser.push(kCall).tool_calls.at(0).id, "call_0");
}

TEST(OutputParser, GivesTheSameResultForAnyCut) {
  const std::vector<std::string> pieces = {"<|channel>",
                                           "thought\n",
                                           "<channel|>",
                                           "<|tool_call>",
                                           "<tool_call|>",
                                           "<|\"|>",
                                           "<turn|>",
                                           "<eos>",
                                           "<|tool_response>",
                                           "call:f{a:1}",
                                           "call:g{b:",
                                           "}",
                                           "\n",
                                           " ",
                                           "text",
                                           "<",
                                           "<|",
                                           "日本",
                                           "thou"};
  std::mt19937 random(20'260'709);
  for (int round = 0; round < 3'000; ++round) {
    std::string text;
    const std::size_t count = random() % 12;
    for (std::size_t i = 0; i < count; ++i) {
      text += pieces[random() % pieces.size()];
    }
    OutputParser parser;
    ParsedOutput sum;
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t bytes = 1 + random() % 5;
      add(sum, parser.push(std::string_view(text).substr(i, bytes)));
      i += bytes;
    }
    add(sum, parser.finish());
    ASSERT_EQ(shown(sum), shown(parse_output(text))) << text;
  }
}

TEST(OutputParser, StaysLinearOnHostileText) {
  std::string text = "<|tool_call>";
  for (int i = 0; i < 200'000; ++i) {
    text += "<|\"|>";
  }
  OutputParser parser;
  ParsedOutput sum;
  for (std::size_t i = 0; i < text.size(); i += 7) {
    add(sum, parser.push(std::string_view(text).substr(i, 7)));
  }
  add(sum, parser.finish());
  EXPECT_EQ(sum.text, text);
}

}  // namespace
}  // namespace nolens
