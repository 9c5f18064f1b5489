#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "nolens/chat.h"

#include "prompt/base64.h"
#include "prompt/expect_error.h"

namespace nolens {
namespace {

// A PNG of 2 x 1 pixels, red and blue.
const std::string kPng =
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR4nGP4z8DAwPAfAAcAAf9+"
    "CLHQAAAAAElFTkSuQmCC";
const std::string kUrl = "data:image/png;base64," + kPng;

std::vector<Message> parsed(const std::string& json) {
  return parse_messages(json, {});
}

/// One user message with one part.
const ImagePart& image_part(const std::vector<Message>& messages) {
  return std::get<ImagePart>(messages.at(0).content.at(0));
}
std::string with_part(const std::string& part) {
  return R"([{"role":"user","content":[)" + part + "]}]";
}

void expect_refused(const std::string& json, const std::string& piece,
                    ErrorCode code = ErrorCode::kInput) {
  expect_error(code, piece, [&] { parsed(json); });
}

TEST(Messages, ReadsRolesAndTextContent) {
  const auto messages = parsed(R"([{"role":"system","content":"s"},
      {"role":"developer","content":[{"type":"text","text":"d"}]},
      {"role":"user","content":"u","name":"Ann"},{"role":"assistant","content":null}])");
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[0].role, Role::kSystem);
  EXPECT_TRUE(messages[0].content_is_string);
  EXPECT_EQ(messages[1].role, Role::kDeveloper);
  EXPECT_FALSE(messages[1].content_is_string);
  EXPECT_EQ(std::get<TextPart>(messages[1].content.at(0)).text, "d");
  EXPECT_EQ(messages[2].role, Role::kUser);
  EXPECT_EQ(messages[3].role, Role::kAssistant);
  EXPECT_TRUE(messages[3].content.empty());
}

TEST(Messages, ReadsEverySpellingOfAPicture) {
  for (const std::string& part :
       {R"({"type":"image","url":")" + kUrl + "\"}", R"({"type":"image","image":")" + kUrl + "\"}",
        R"({"type":"image","base64":")" + kPng + "\"}",
        R"({"type":"image_url","image_url":{"url":")" + kUrl + "\"}}",
        R"({"type":"image_url","image_url":")" + kUrl + "\"}",
        R"({"type":"input_image","image_url":")" + kUrl + "\"}"}) {
    const auto messages = parsed(with_part(part));
    EXPECT_EQ(image_part(messages).image.width(), 2) << part;
    EXPECT_EQ(image_part(messages).image.height(), 1) << part;
    EXPECT_EQ(image_part(messages).image.rgb()[0], 255) << part;
    EXPECT_EQ(image_part(messages).max_soft_tokens, 0) << part;
  }
}

TEST(Messages, ReadsBudgets) {
  const auto budget = [](const std::string& fields) {
    return image_part(parsed(with_part(R"({"type":"image_url","image_url":{"url":")" + kUrl + "\"" +
                                       fields + "}}")))
        .max_soft_tokens;
  };
  EXPECT_EQ(budget(R"(,"detail":"auto")"), 0);
  EXPECT_EQ(budget(R"(,"detail":"low")"), 70);
  EXPECT_EQ(budget(R"(,"detail":"high")"), 1120);
  EXPECT_EQ(budget(R"(,"detail":"low","max_soft_tokens":560)"), 560);
  EXPECT_EQ(image_part(parsed(with_part(R"({"type":"image","max_soft_tokens":140,"url":")" + kUrl +
                                        "\"}")))
                .max_soft_tokens,
            140);
  for (const char* number :
       {"0", "-1", "1121", "70.0", "1e2", "\"70\"", "null", "18446744073709551615"}) {
    expect_refused(
        with_part(R"({"type":"image","url":")" + kUrl + R"(","max_soft_tokens":)" + number + "}"),
        "messages[0].content[0].max_soft_tokens");
  }
  expect_refused(with_part(R"({"type":"image","url":")" + kUrl + R"(","detail":"max"})"),
                 "detail must be");
}

class MessagesWithFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / "nolens_messages";
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "broken.png") << "no picture";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(MessagesWithFiles, NameTheFileThatCannotBeUsed) {
  expect_error(ErrorCode::kInput, "broken.png", [&] {
    parse_messages(with_part(R"({"type":"image","path":"broken.png"})"), folder_);
  });
  expect_error(ErrorCode::kInput, "missing.png", [&] {
    parse_messages(with_part(R"({"type":"image","image":"missing.png"})"), folder_);
  });
  expect_error(ErrorCode::kInput, "path", [&] {
    parse_messages(with_part(R"({"type":"image","path":"a\u0000b"})"), folder_);
  });
}

TEST_F(MessagesWithFiles, AreReadRelativeToTheBaseDirectory) {
  std::ofstream file(folder_ / "pixels.png", std::ios::binary);
  for (const std::byte byte : decode_base64(kPng, "pixels.png")) {
    file.put(static_cast<char>(byte));
  }
  file.close();
  const auto messages =
      parse_messages(with_part(R"({"type":"image","path":"pixels.png"})"), folder_);
  EXPECT_EQ(image_part(messages).image.width(), 2);
}

TEST(Messages, CutsARegionOutOfAPicture) {
  const auto region = [](const std::string& value) {
    return with_part(R"({"type":"image_url","image_url":{"url":")" + kUrl + "\"},\"region\":" + value + "}");
  };
  const auto whole_messages = parsed(region("[0,0,2,1]"));
  const Image& whole = image_part(whole_messages).image;
  const auto messages = parsed(region("[1,0,1,1]"));
  const Image& right = image_part(messages).image;
  EXPECT_EQ(right.width(), 1);
  EXPECT_EQ(right.height(), 1);
  EXPECT_TRUE(std::equal(right.rgb().begin(), right.rgb().end(), whole.rgb().begin() + 3));
  const auto nested = parsed(with_part(R"({"type":"image_url","image_url":{"url":")" + kUrl + "\",\"region\":[0,0,1,1]}}"));
  EXPECT_EQ(image_part(nested).image.width(), 1);
  for (const char* wrong : {"[0,0,3,1]", "[0,0,0,1]", "[2,0,1,1]", "[-1,0,1,1]", "[0,0,1]", "\"all\"",
                            "[0,0,1,2]", "[0.5,0,1,1]", "[9007199254740993,0,1,1]"}) {
    expect_refused(region(wrong), "messages[0].content[0].region");
  }
}

TEST(Messages, RefusesFilesWithoutABaseDirectory) {
  expect_refused(with_part(R"({"type":"image","path":"/etc/hostname"})"),
                 "messages[0].content[0].path: files cannot be named here");
}

TEST(Messages, RefusesTheNetwork) {
  for (const char* part :
       {R"({"type":"image_url","image_url":{"url":"https://example.org/a.png"}})",
        R"({"type":"image","url":"HTTP://example.org/a.png"})",
        R"({"type":"image","image":"https://example.org/a.png"})"}) {
    expect_refused(with_part(part), "http and https addresses are not fetched");
  }
  expect_refused(with_part(R"({"type":"image","url":"file:///etc/passwd"})"), "data URL");
}

TEST(Messages, RefusesMalformedSoundAndClips) {
  const std::string text = R"({"type":"text","text":"x"},)";
  for (const char* type : {"audio", "video"}) {
    expect_refused(with_part(text + R"({"type":")" + type + "\"}"),
                   "messages[0].content[1] needs exactly one of");
  }
  expect_refused(with_part(R"({"type":"input_audio"})"), "must be an object with \"data\"");
  expect_refused(with_part(R"({"type":"input_audio","input_audio":{"data":"Zm9v!"}})"),
                 "input_audio.data: invalid base64 at character 5");
  expect_refused(with_part(R"({"type":"audio","url":"data:image/png;base64,Zm9v"})"),
                 "begins with audio/");
  expect_refused(with_part(R"({"type":"video_url","video_url":"http://example.org/a.mp4"})"),
                 "http and https addresses are not fetched");
  expect_refused(with_part(R"({"type":"video","frames":[]})"), "at least one picture");
  expect_refused(with_part(R"({"type":"video","frames":[1]})"), "frames[0] must be the path");
  expect_refused(with_part(R"({"type":"video","frames":["a.png"],"fps":0})"), "fps must be");
  expect_refused(with_part(R"({"type":"video","path":"a.mp4","num_frames":0})"), "num_frames");
  expect_refused(with_part(R"({"type":"video","frames":["x"],"path":"y"})"), "unknown key \"path\"");
}

TEST(Messages, ReadsAClipGivenAsPictures) {
  const std::string frame = "\"" + std::string(kUrl) + "\"";
  const auto messages = parsed(with_part(R"({"type":"video","frames":[)" + frame + "," + frame + "," +
                                         frame + R"(],"fps":2,"max_soft_tokens":140})"));
  const auto& clip = std::get<VideoPart>(messages.at(0).content.at(0));
  ASSERT_EQ(clip.video.frames.size(), 3U);
  EXPECT_EQ(clip.video.frames[0].seconds, 0.0);
  EXPECT_EQ(clip.video.frames[2].seconds, 1.0);
  EXPECT_EQ(clip.video.source_frames, 3);
  EXPECT_EQ(clip.video.source_fps, 2.0);
  EXPECT_EQ(clip.max_soft_tokens, 140);
}

TEST(Messages, LimitsTheFramesOfAClipBeforeTheyAreRead) {
  std::string frames = "\"missing.png\"";
  for (int i = 0; i < 4; ++i) {
    frames += ",\"missing.png\"";
  }
  MediaOptions options;
  options.max_frames = 4;
  expect_error(ErrorCode::kResource, "frames: has 5 pictures, at most 4", [&] {
    parse_messages(with_part(R"({"type":"video","frames":[)" + frames + "]}"), {}, options);
  });
}

TEST(Messages, DropsNothingInSilence) {
  expect_refused(with_part(R"({"type":"file","file":{}})"), "content[0].type");
  expect_refused(with_part(R"({"type":"text","text":"a","bold":true})"), "unknown key \"bold\"");
  expect_refused(with_part(R"({"type":"image","url":")" + kUrl + R"(","crop":[1]})"),
                 "unknown key \"crop\"");
  expect_refused(R"([{"role":"user","content":"a","images":[]}])", "unknown key \"images\"");
  expect_refused(R"([{"role":"user","content":"a","tool_calls":[]}])",
                 "unknown key \"tool_calls\"");
  expect_refused(R"([{"role":"assistant","content":"a","function_call":{"name":"f"}}])",
                 "function_call is not supported");
  EXPECT_EQ(parsed(R"([{"role":"assistant","content":"a","refusal":null,"annotations":[],
                        "audio":null,"function_call":null,"id":"x","name":"y"}])")
                .size(),
            1U);
}

TEST(Messages, ReadsToolCallsInBothForms) {
  const auto messages = parsed(R"([{"role":"assistant","content":null,"reasoning_content":"why",
      "tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"B\":1,\"a\":2}"}},
                    {"id":"2","function":{"name":"g","arguments":{"x":[true]}}},
                    {"function":{"name":"h"}},{"function":{"name":"i","arguments":""}}]},
      {"role":"tool","tool_call_id":"1","name":"f","content":[{"type":"text","text":"r"}]},
      {"role":"tool","tool_call_id":"2","content":{"b":1}}])");
  const Message& call = messages.at(0);
  EXPECT_EQ(call.reasoning, "why");
  ASSERT_EQ(call.tool_calls.size(), 4U);
  EXPECT_EQ(call.tool_calls[0].id, "1");
  EXPECT_EQ(call.tool_calls[0].arguments, R"({"B":1,"a":2})");
  EXPECT_EQ(call.tool_calls[1].arguments, R"({"x":[true]})");
  EXPECT_EQ(call.tool_calls[2].arguments, "{}");
  EXPECT_EQ(call.tool_calls[3].arguments, "{}");
  EXPECT_EQ(messages.at(1).tool_call_id, "1");
  EXPECT_EQ(messages.at(1).name, "f");
  EXPECT_EQ(messages.at(2).result_json, R"({"b":1})");
}

TEST(Messages, RefusesBrokenToolCalls) {
  const auto calls = [](const std::string& call) {
    return R"([{"role":"assistant","tool_calls":[)" + call + "]}]";
  };
  expect_refused(calls("1"), "tool_calls[0] must be an object");
  expect_refused(calls(R"({"type":"custom","function":{"name":"f"}})"), "of type \"function\"");
  expect_refused(calls(R"({"function":{"name":""}})"), "function.name must not be empty");
  expect_refused(calls(R"({"function":{"name":"f","arguments":"[1]"}})"),
                 "arguments must be the JSON text of an object");
  expect_refused(calls(R"({"function":{"name":"f","arguments":"{"}})"), "arguments");
  expect_refused(calls(R"({"function":{"name":"f","arguments":3}})"),
                 "arguments must be an object");
}

TEST(Messages, RefusesBrokenDocuments) {
  expect_refused("", "messages");
  expect_refused("{}", "must be a JSON array");
  expect_refused("[]", "at least one message");
  expect_refused("[1]", "messages[0] must be an object");
  expect_refused(R"([{"content":"a"}])", "messages[0] needs a string \"role\"");
  expect_refused(R"([{"role":"model","content":"a"}])", "write \"assistant\"");
  expect_refused(R"([{"role":"root","content":"a"}])", "messages[0].role must be");
  expect_refused(R"([{"role":"user"}])", "needs \"content\"");
  expect_refused(R"([{"role":"user","content":null}])", "content must be a string or an array");
  expect_refused(R"([{"role":"user","content":3}])", "found number");
  expect_refused(with_part("\"text\""), "content[0] must be an object");
  expect_refused(with_part(R"({"type":"text"})"), "needs a string \"text\"");
  expect_refused(with_part(R"({"type":"text","text":1})"), "text must be a string, found number");
  expect_refused(with_part(R"({"type":"image"})"), "exactly one of");
  expect_refused(with_part(R"({"type":"image","url":"a","path":"b"})"), "exactly one of");
  expect_refused(with_part(R"({"type":"image","base64":""})"), "base64");
}

TEST(Messages, CountsPicturesAgainstTheLimits) {
  std::string list;
  for (int i = 0; i < 3; ++i) {
    list += (list.empty() ? "" : ",") + std::string(R"({"type":"image","url":")") + kUrl + "\"}";
  }
  MediaOptions options;
  ImageLimits& limits = options.image;
  limits.max_images = 3;
  EXPECT_EQ(parse_messages(with_part(list), {}, options).at(0).content.size(), 3U);
  limits.max_images = 2;
  expect_error(ErrorCode::kResource, "content[2]: more than 2 pictures",
               [&] { parse_messages(with_part(list), {}, options); });
  limits.max_images = 3;
  limits.max_total_bytes = 17;
  expect_error(ErrorCode::kResource, "content[2]: the decoded media",
               [&] { parse_messages(with_part(list), {}, options); });
}

TEST(Messages, ShowsForeignBytesEscaped) {
  expect_refused("[{\"role\":\"\\u001b[31m\",\"content\":\"a\"}]", "\\x1b[31m");
}

}  // namespace
}  // namespace nolens
