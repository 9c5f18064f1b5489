#include <gtest/gtest.h>

#include "serve/api/multipart.h"
#include "serve/api/transcription.h"
#include "serve/http/http_error.h"

namespace nolens::serve {
namespace {

const std::string kType = "multipart/form-data; boundary=xyz";

std::string part(const std::string& name, const std::string& data) {
  return "--xyz\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + data + "\r\n";
}

int status_of(const std::string& type, const std::string& body) {
  try {
    parse_form(type, body);
  } catch (const HttpError& error) {
    return error.status;
  }
  return 200;
}

TEST(Form, ReadsPartsAsTheyAre) {
  const std::string bytes("a\r\n--xy\0z\r\n-", 13);
  const std::string body = part("file", bytes) + part("model", "") + "--xyz--\r\n";
  const auto parts = parse_form(kType, body);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].name, "file");
  EXPECT_EQ(parts[0].data, bytes);
  EXPECT_EQ(parts[1].name, "model");
  EXPECT_EQ(parts[1].data, "");
}

TEST(Form, ReadsQuotedBoundariesAndForeignHeads) {
  const auto parts = parse_form(
      "Multipart/Form-Data; charset=utf-8; boundary=\"xyz\"",
      "--xyz\r\nContent-Type: audio/wav\r\nCONTENT-DISPOSITION: form-data; filename=\"name=../../etc; name=x\"; "
      "name=file\r\n\r\nRIFF\r\n--xyz--");
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].name, "file");
  EXPECT_EQ(parts[0].data, "RIFF");
}

TEST(Form, RefusesWhatIsNone) {
  const std::string good = part("a", "b") + "--xyz--\r\n";
  EXPECT_EQ(status_of(kType, good), 200);
  EXPECT_EQ(status_of("application/json", good), 415);
  EXPECT_EQ(status_of("multipart/form-data", good), 400);
  EXPECT_EQ(status_of("multipart/form-data; boundary=", good), 400);
  EXPECT_EQ(status_of("multipart/form-data; boundary=" + std::string(10000, 'x'), good), 400);
  EXPECT_EQ(status_of("multipart/form-data; boundary=other", good), 400);
  EXPECT_EQ(status_of(kType, ""), 400);
  EXPECT_EQ(status_of(kType, "--xyz\r\n\r\nno name\r\n--xyz--"), 400);
  EXPECT_EQ(status_of(kType, "--xyz\r\n" + std::string(100000, 'h') + "\r\n\r\n--xyz--"), 400);
  std::string many;
  for (int i = 0; i < 65; ++i) {
    many += part("a", "b");
  }
  EXPECT_EQ(status_of(kType, many + "--xyz--"), 400);
  for (std::size_t cut = 0; cut + 4 < good.size(); ++cut) {
    EXPECT_EQ(status_of(kType, good.substr(0, cut)), 400) << cut;
  }
}

TEST(Transcript, HasTheFormsThatProgramsRead) {
  const std::vector<Segment> segments = {{0.0, 2.5, "Good morning."}, {2.5, 3661.25, "Good night."}};
  EXPECT_EQ(transcript_body("text", segments, ""), "Good morning. Good night.\n");
  EXPECT_EQ(transcript_body("json", segments, ""), R"({"text":"Good morning. Good night."})");
  EXPECT_EQ(transcript_body("srt", segments, ""),
            "1\n00:00:00,000 --> 00:00:02,500\nGood morning.\n\n2\n00:00:02,500 --> 01:01:01,250\nGood night.\n\n");
  EXPECT_EQ(transcript_body("vtt", segments, ""),
            "WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nGood morning.\n\n00:00:02.500 --> 01:01:01.250\nGood night.\n\n");
  const Json verbose = Json::parse(transcript_body("verbose_json", segments, "German"));
  EXPECT_EQ(verbose["duration"], 3661.25);
  EXPECT_EQ(verbose["segments"][1]["start"], 2.5);
  EXPECT_EQ(verbose["language"], "German");
}

}  // namespace
}  // namespace nolens::serve
