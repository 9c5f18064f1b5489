#include "hub/headers.h"

#include <gtest/gtest.h>

namespace nolens::hub {
namespace {

using State = HeadParser::State;

TEST(Head, IsParsedLineByLine) {
  HeadParser parser;
  EXPECT_EQ(parser.feed("HTTP/1.1 302 Found\r\n"), State::kMore);
  EXPECT_EQ(parser.feed("X-Linked-ETag: \"abc\" \r\n"), State::kMore);
  EXPECT_EQ(parser.feed("no colon\r\n"), State::kMore);
  EXPECT_EQ(parser.feed("\r\n"), State::kComplete);
  EXPECT_EQ(parser.head().status, 302);
  EXPECT_TRUE(parser.head().is_redirect());
  EXPECT_EQ(parser.head().get("x-linked-etag"), "\"abc\"");
  EXPECT_FALSE(parser.head().find("etag"));
}

TEST(Head, PreliminaryAnswersArePassedOver) {
  HeadParser parser;
  EXPECT_EQ(parser.feed("HTTP/1.1 103 Early Hints"), State::kMore);
  EXPECT_EQ(parser.feed("Link: <x>"), State::kMore);
  EXPECT_EQ(parser.feed(""), State::kMore);
  EXPECT_EQ(parser.feed("HTTP/2 200"), State::kMore);
  EXPECT_EQ(parser.feed(""), State::kComplete);
  EXPECT_EQ(parser.head().status, 200);
  EXPECT_FALSE(parser.head().find("link"));
}

TEST(Head, WhatIsNoHttpIsRefused) {
  for (const char* line : {"", "ICY 200 OK", "HTTP/1.1", "HTTP/1.1 20", "HTTP/1.1 099 x",
                           "HTTP/1.1 600 x", "HTTP/1.1 2000", "HTTP/1.1 +20 OK"}) {
    HeadParser parser;
    EXPECT_EQ(parser.feed(line), State::kRefused) << line;
  }
}

TEST(Head, HasLimits) {
  HeadParser many;
  many.feed("HTTP/1.1 200 OK");
  for (std::size_t i = 0; i < kMaxHeaders; ++i) {
    ASSERT_EQ(many.feed("a: b"), State::kMore);
  }
  EXPECT_EQ(many.feed("a: b"), State::kRefused);
  HeadParser large;
  large.feed("HTTP/1.1 200 OK");
  EXPECT_EQ(large.feed("a: " + std::string(kMaxHeadBytes, 'x')), State::kRefused);
}

TEST(Count, IsDigitsThatFit) {
  EXPECT_EQ(parse_count("0"), 0);
  EXPECT_EQ(parse_count("9223372036854775807"), INT64_MAX);
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "1x", "9223372036854775808", "0x10"}) {
    EXPECT_FALSE(parse_count(text)) << text;
  }
}

TEST(Link, NextIsFoundAmongOthers) {
  EXPECT_EQ(next_link("<https://h/a?b=1>; rel=\"next\""), "https://h/a?b=1");
  EXPECT_EQ(next_link("<p>; rel=\"prev\", <n>; rel=\"next\""), "n");
  for (const char* text : {"", "<", "<a", "<a>", "a; rel=\"next\"", "<a>; rel=\"prev\""}) {
    EXPECT_FALSE(next_link(text)) << text;
  }
}

TEST(ContentRangeHeader, IsReadStrictly) {
  const auto range = parse_content_range("bytes 5-9/10");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, 5);
  EXPECT_EQ(range->last, 9);
  EXPECT_EQ(range->total, 10);
  EXPECT_FALSE(parse_content_range("bytes 0-0/*")->total);
  for (const char* text : {"", "bytes", "bytes */10", "bytes 5-4/10", "bytes 5-10/10",
                           "items 0-1/2", "bytes 0-1", "bytes -1/2", "bytes 0-1/x"}) {
    EXPECT_FALSE(parse_content_range(text)) << text;
  }
}

TEST(RetryAfter, IsReadFromBothHeaders) {
  const auto seconds = [](std::vector<std::pair<std::string, std::string>> headers) {
    return retry_after_seconds(HttpHead{429, std::move(headers)});
  };
  EXPECT_EQ(seconds({{"retry-after", "7"}}), 7);
  EXPECT_EQ(seconds({{"ratelimit", "\"api\";r=0;t=55"}, {"retry-after", "7"}}), 55);
  EXPECT_EQ(seconds({{"ratelimit", "\"api\";r=3;t=55"}, {"retry-after", "7"}}), 7);
  EXPECT_FALSE(seconds({{"retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"}}));
  EXPECT_FALSE(seconds({}));
}

}  // namespace
}  // namespace nolens::hub
