#include "hub/url.h"

#include <gtest/gtest.h>

namespace nolens::hub {
namespace {

TEST(Url, IsTakenApart) {
  const auto url = parse_url("HTTPS://Hub.Example:8443/a/b?c=d#e");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "hub.example");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b?c=d");
  EXPECT_EQ(url->text(), "https://hub.example:8443/a/b?c=d");
  EXPECT_EQ(parse_url("http://h")->text(), "http://h/");
  EXPECT_EQ(parse_url("http://h?x")->target, "/?x");
  EXPECT_EQ(parse_url("http://[::1]:80/x")->text(), "http://[::1]/x");
}

TEST(Url, WhatTwoParsersMayReadDifferentlyIsRefused) {
  for (const char* text : {"",
                           "h",
                           "//h",
                           "ftp://h",
                           "file:///etc/passwd",
                           "http://",
                           "http:///x",
                           "http://a@b",
                           "http://a:b@c/",
                           "https://good.example\\@evil.example/",
                           "http://h:0",
                           "http://h:65536",
                           "http://h:",
                           "http://h:8 0",
                           "http://h:+80",
                           "http://h:-1",
                           "http://a b/",
                           "http://h/a b",
                           "http://h/\x01",
                           "http://h/\xC3\xA9",
                           "http://[::1",
                           "http://::1]/",
                           "http://[zz]/",
                           "http://h%2eexample/",
                           "http://h/<x>",
                           "http://a:b:80/"}) {
    EXPECT_FALSE(parse_url(text)) << text;
  }
  EXPECT_FALSE(parse_url("http://h/" + std::string(9000, 'a')));
}

TEST(Url, OriginIsSchemeHostAndPort) {
  const Url url = *parse_url("https://h/x");
  EXPECT_TRUE(url.same_origin(*parse_url("https://H:443/y")));
  EXPECT_FALSE(url.same_origin(*parse_url("http://h/x")));
  EXPECT_FALSE(url.same_origin(*parse_url("https://h:444/x")));
  EXPECT_FALSE(url.same_origin(*parse_url("https://h.evil/x")));
}

TEST(Url, LoopbackIsThisMachineOnly) {
  for (const char* text :
       {"http://localhost", "http://127.0.0.1:80", "http://127.9.9.9", "http://[::1]"}) {
    EXPECT_TRUE(parse_url(text)->is_loopback()) << text;
  }
  for (const char* text :
       {"http://127.0.0.1.example", "http://localhost.example", "http://10.0.0.1"}) {
    EXPECT_FALSE(parse_url(text)->is_loopback()) << text;
  }
}

TEST(Reference, IsResolvedAgainstTheBase) {
  const Url base = *parse_url("https://h:1/a/b?c");
  EXPECT_EQ(resolve_reference(base, "/x?y")->text(), "https://h:1/x?y");
  EXPECT_EQ(resolve_reference(base, "x")->text(), "https://h:1/a/x");
  EXPECT_EQ(resolve_reference(base, "?q")->text(), "https://h:1/a/b?q");
  EXPECT_EQ(resolve_reference(base, "//other/x")->text(), "https://other/x");
  EXPECT_EQ(resolve_reference(base, "http://other/x")->text(), "http://other/x");
  for (const char* text :
       {"ftp://x", "file:///x", "javascript:x", "//a@b", "//", "/a b", "\\\\x"}) {
    EXPECT_FALSE(resolve_reference(base, text)) << text;
  }
}

TEST(PercentEncoding, IsPythonsQuote) {
  EXPECT_EQ(percent_encode("a/b c%\xC3\xA9~_.-", true), "a/b%20c%25%C3%A9~_.-");
  EXPECT_EQ(percent_encode("refs/pr/4", false), "refs%2Fpr%2F4");
}

}  // namespace
}  // namespace nolens::hub
