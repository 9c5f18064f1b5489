// The bundled model answers as the same files do in transformers: 200 questions of the official easy-VQA
// test split, canonical mask rule, token by token (tests/golden/nolens_tiny, made by
// tests/reference/check_exported_model.py).
#include <gtest/gtest.h>

#include "nolens/session.h"
#include "parity/golden_case.h"

namespace nolens {
namespace {

TEST(BundledModel, GivesTheAnswersOfTransformers) {
  const std::filesystem::path root(NOLENS_SOURCE_DIR);
  const Json golden =
      parse_json(read_file(testing::golden_directory() / "nolens_tiny" / "answers.json", 16U << 20U,
                           ErrorCode::kInput),
                 "answers.json", ErrorCode::kInput);
  ASSERT_EQ(golden.at("answers").size(), 200U);
  const auto model = Model::load(root / "models" / "nolens-tiny", {.num_threads = 2, .exact = true});
  GenerateOptions greedy;
  greedy.max_tokens = 8;
  greedy.sampler.temperature = 0.0F;
  Session session(model);
  for (const Json& entry : golden.at("answers")) {
    const auto name = entry.at("image").get<std::string>();
    const MappedFile file(root / "data" / "easy-vqa-test" / name, ErrorCode::kInput);
    Message message;
    message.content_is_string = false;
    message.content = {ImagePart{Image::decode(file.bytes(), name), name, 0},
                       TextPart{entry.at("question").get<std::string>()}};
    session.set_context(render_chat({message}, {}));
    EXPECT_EQ(session.position(), entry.at("prompt_tokens").get<std::int64_t>());
    std::vector<TokenId> ids = session.generate(greedy).tokens;
    ids.push_back(model->tokenizer().find("<turn|>"));
    EXPECT_EQ(ids, entry.at("answer_ids").get<std::vector<TokenId>>())
        << name << ": " << entry.at("question");
  }
}

}  // namespace
}  // namespace nolens
