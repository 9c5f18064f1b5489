// Recordings that are broken, hostile or another model's.
#include "conform/reference.h"

#include <limits>

#include <gtest/gtest.h>

#include "nolens/conform.h"

#include "conform/recording.h"

namespace nolens {
namespace {

using testing::golden_recording;
using testing::Recording;

/// What conform() says about the recording after `change`, run with its own model.
class BrokenRecording : public ::testing::Test {
 protected:
  BrokenRecording() : recording("text_short_window"), model(recording.model()) {}

  std::string refusal(ConformOptions options = {}) {
    recording.write(folder);
    return refusal_of_folder(std::move(options));
  }
  std::string refusal_of_folder(ConformOptions options = {}) {
    const std::string message = error_of(
        ErrorCode::kInput, [&] { static_cast<void>(conform(model, folder.path(), options)); });
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
  std::string refusal_of_json(const std::string& text) {
    recording.write(folder);
    static_cast<void>(folder.add("case.json", text));
    return refusal_of_folder();
  }

  Recording recording;
  std::shared_ptr<const Model> model;
  TemporaryFolder folder;
};

/// That `message` is of an error of the code asked for and contains `part`.
::testing::AssertionResult says(const std::string& message, const std::string& part) {
  if (message.starts_with("(") || message.find(part) == std::string::npos) {
    return ::testing::AssertionFailure() << message;
  }
  return ::testing::AssertionSuccess();
}

TEST_F(BrokenRecording, TheDirectoryIsMissing) {
  EXPECT_TRUE(says(error_of(ErrorCode::kInput,
                            [&] { static_cast<void>(conform(model, folder.path() / "nowhere")); }),
                   "is no directory"));
}

TEST_F(BrokenRecording, AFileIsMissing) {
  EXPECT_TRUE(says(refusal_of_folder(), "case.json"));
  recording.write_case(folder);
  EXPECT_TRUE(says(refusal_of_folder(), "has no expected.safetensors"));
}

TEST_F(BrokenRecording, TheJsonIsHostile) {
  EXPECT_TRUE(says(refusal_of_json(""), "case.json"));
  EXPECT_TRUE(says(refusal_of_json("[]"), "expected an object"));
  EXPECT_TRUE(says(refusal_of_json(std::string(100'000, '[')), "case.json"));
  EXPECT_TRUE(says(refusal_of_json(R"({"messages": 1, "messages": 2})"), "messages"));
  EXPECT_TRUE(says(refusal_of_json("{\"messages\": \"\xff\"}"), "case.json"));
}

TEST_F(BrokenRecording, AFieldIsOfTheWrongKind) {
  const Json good = recording.json;
  const std::pair<const char*, Json> changes[] = {{"format", "nolens-reference-2"},
                                                  {"messages", "hello"},
                                                  {"messages", nullptr},
                                                  {"token_ids", "1 2 3"},
                                                  {"token_ids", Json::array()},
                                                  {"token_ids", {-1}},
                                                  {"token_ids", {1e99}},
                                                  {"token_ids", {5'000'000'000}},
                                                  {"images", {1}},
                                                  {"images", "none"},
                                                  {"suppressed_ids", {"a"}},
                                                  {"dtype", "int3"},
                                                  {"row_step", 0},
                                                  {"rules", nullptr},
                                                  {"rules", Json::object()},
                                                  {"rules", {1}},
                                                  {"image_tokens", 71},
                                                  {"image_tokens", -70},
                                                  {"chat", {{"enable_thinking", 3}}}};
  for (const auto& [field, value] : changes) {
    recording.json = good;
    recording.json[field] = value;
    EXPECT_TRUE(says(refusal(), field)) << field << " = " << value.dump();
  }
}

TEST_F(BrokenRecording, MessagesAreHostile) {
  for (const char* messages :
       {"[1]", "[[]]", R"([{"role": "user"}])", R"([{"role": "wizard", "content": "x"}])",
        R"([{"role": "user", "content": [{"type": "audio", "samples": -1, "seed": 1}]}])",
        R"([{"role": "user", "content": [{"type": "audio", "samples": 1e18, "seed": 1}]}])",
        R"([{"role": "user", "content": [{"type": "audio", "samples": 99999999999, "seed": 1}]}])",
        R"([{"role": "user", "content": [{"type": "audio", "samples": 5}]}])",
        R"([{"role": "user", "content": [{"type": "audio", "path": "nowhere.f32"}]}])",
        R"([{"role": "user", "content": [{"type": "audio", "path": "three_bytes.f32"}]}])",
        R"([{"role": "user", "content": [{"type": "image", "path": "nowhere.png"}]}])",
        R"([{"role": "user", "content": [7, {"type": "audio", "samples": 5, "seed": 1}]}])"}) {
    recording.json["messages"] = Json::parse(messages);
    recording.write(folder);
    static_cast<void>(folder.add("three_bytes.f32", "abc"));
    const std::string message = refusal_of_folder();
    EXPECT_EQ(message.find("(no error)"), std::string::npos) << messages;
    EXPECT_EQ(message.find("(other code)"), std::string::npos) << messages << message;
  }
}

TEST_F(BrokenRecording, ATensorHasAnotherShape) {
  const auto good = recording.tensors;
  const auto rows = static_cast<std::int64_t>(recording.json["token_ids"].size());
  for (const char* name :
       {"input_embeddings", "canonical.hidden.1", "canonical.final_norm", "canonical.logits"}) {
    recording.tensors = good;
    testing::RecordedTensor& tensor = recording.tensors.at(name);
    tensor.values.resize(static_cast<std::size_t>((rows - 1) * tensor.shape[1]));
    tensor.shape[0] = rows - 1;
    EXPECT_TRUE(says(refusal(), "has the shape")) << name;
    tensor.shape = {tensor.shape[0] * tensor.shape[1]};
    EXPECT_TRUE(says(refusal(), "has the shape")) << name;
  }
}

TEST_F(BrokenRecording, ATensorHoldsWhatIsNotFinite) {
  for (const char* name : {"input_embeddings", "canonical.hidden.3", "canonical.logits"}) {
    for (const float value :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      float& place = recording.tensors.at(name).values.at(7);
      const float good = std::exchange(place, value);
      EXPECT_TRUE(says(refusal(), "not finite"));
      EXPECT_TRUE(says(refusal({.isolate = true}), "not finite"));
      place = good;
    }
  }
}

TEST_F(BrokenRecording, NoLogitsAreRecorded) {
  recording.tensors.erase("canonical.logits");
  recording.tensors.erase("canonical.last_logits");
  EXPECT_TRUE(says(refusal(), "has neither a tensor 'canonical.logits'"));
}

TEST_F(BrokenRecording, IsolationNeedsHiddenStatesOfEveryRow) {
  std::erase_if(recording.tensors,
                [](const auto& item) { return item.first.find("hidden") != std::string::npos; });
  EXPECT_TRUE(says(refusal({.isolate = true}), "records no hidden states"));
}

TEST_F(BrokenRecording, AFileOfTensorsIsCutOrTwice) {
  recording.write(folder);
  std::string bytes = content_of(folder.path() / "expected.safetensors");
  static_cast<void>(folder.add("expected.safetensors", bytes.substr(0, bytes.size() - 1)));
  EXPECT_TRUE(says(refusal_of_folder(), "expected.safetensors"));
  static_cast<void>(folder.add("expected.safetensors", "junk"));
  EXPECT_TRUE(says(refusal_of_folder(), "expected.safetensors"));
  static_cast<void>(folder.add("expected.safetensors", bytes));
  recording.write_tensors(folder.path() / "expected-2.safetensors", DType::kF32,
                          {"input_embeddings"});
  EXPECT_TRUE(says(refusal_of_folder(), "two files hold a tensor 'input_embeddings'"));
}

TEST_F(BrokenRecording, IdsAndLayersAreBeyondTheModel) {
  const Json good = recording.json;
  recording.json["token_ids"][0] = 512;
  EXPECT_TRUE(says(refusal(), "beyond the model's vocabulary of 512"));
  recording.json = good;
  recording.json["suppressed_ids"] = {600};
  EXPECT_TRUE(says(refusal(), "suppressed_ids"));
  recording.json = good;
  recording.json["rules"]["canonical"]["greedy_ids"][3] = 99'999;
  EXPECT_TRUE(says(refusal(), "greedy_ids"));
  recording.json["rules"]["canonical"]["greedy_ids"][3] = model->config().tokens.image;
  EXPECT_TRUE(says(refusal(), "placeholder"));
  recording.json = good;
  recording.json["rules"]["canonical"]["greedy_ids"] = std::vector<int>(2'000'000, 300);
  EXPECT_TRUE(says(refusal(), "tokens, but the model takes"));
  recording.json = good;
  recording.tensors["canonical.hidden.4"] = recording.tensors.at("canonical.hidden.3");
  EXPECT_TRUE(says(refusal(), "the model has layers 0 to 3"));
}

TEST_F(BrokenRecording, MarginsDoNotFitTheTokens) {
  recording.json["rules"]["canonical"]["greedy_margins"] = {0.5, 0.25};
  EXPECT_TRUE(says(refusal(), "expected 64"));
}

TEST_F(BrokenRecording, TheRuleIsNotRecorded) {
  EXPECT_TRUE(says(refusal({.mask_rule = MaskRule::kLegacy}),
                   "has nothing for the mask rule legacy; recorded: canonical"));
}

TEST_F(BrokenRecording, ItIsAnotherModels) {
  model = Model::load(golden_recording("models/tiny_stored"), {.num_threads = 2});
  EXPECT_TRUE(says(refusal(), "the shape"));
}

TEST(BrokenPictures, TheirNumberOrSizeIsWrong) {
  Recording recording("one_image");
  const auto model = recording.model();
  const TemporaryFolder folder;
  const auto refusal = [&] {
    recording.write(folder);
    return error_of(ErrorCode::kInput, [&] { static_cast<void>(conform(model, folder.path())); });
  };
  recording.json["images"][0]["resized"] = "picture_0.png";
  EXPECT_TRUE(says(refusal(), "'picture_0.png' has 61 x 46 pixels"));
  recording.json["images"][0]["resized"] = "../../../nowhere.png";
  EXPECT_TRUE(says(refusal(), "nowhere.png"));
  recording.json["images"].push_back(recording.json["images"][0]);
  EXPECT_TRUE(says(refusal(), "describes 2 pictures, but the messages hold 1"));
}

}  // namespace
}  // namespace nolens
