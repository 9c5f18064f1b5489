#include "prompt_encoder.h"

#include <algorithm>
#include <string_view>

#include "nolens/error.h"

#include "preprocess/image_to_patches.h"

namespace nolens::train {
namespace {

TokenId control_token(const Tokenizer& tokenizer, std::string_view token) {
  const TokenId id = tokenizer.find(token);
  if (id < 0) {
    throw Error(ErrorCode::kModel, "the tokenizer has no control token '" + std::string(token) +
                                       "', which the chat template needs");
  }
  return id;
}

}  // namespace

PromptEncoder::PromptEncoder(const Tokenizer& tokenizer, const ModelConfig& config)
    : tokenizer_(tokenizer), config_(config), end_of_turn_(control_token(tokenizer, "<turn|>")) {
  if (tokenizer.size() > config.text.vocab_size) {
    throw Error(ErrorCode::kModel, "the tokenizer has " + std::to_string(tokenizer.size()) +
                                       " tokens but the model's vocab_size is " +
                                       std::to_string(config.text.vocab_size) +
                                       "; raise vocab_size");
  }
}

PromptEncoder::Encoded PromptEncoder::encode(const std::vector<Message>& messages) const {
  Encoded encoded;
  std::string text;  // neighbouring texts are tokenised as one
  const auto flush = [&] {
    tokenizer_.encode(text, ParseSpecial::kNo, encoded.rest);
    text.clear();
  };
  for (const PromptPart& part : render_chat(messages, ChatOptions{})) {
    if (const auto* words = std::get_if<PromptText>(&part)) {
      text += words->text;
      continue;
    }
    flush();
    if (const auto* special = std::get_if<PromptSpecial>(&part)) {
      encoded.rest.push_back(control_token(tokenizer_, special->token));
    } else {
      encoded.pictures.push_back(std::get<PromptImage>(part).name);
      encoded.prefix.insert(encoded.prefix.end(), encoded.rest.begin(), encoded.rest.end());
      encoded.rest.clear();
      encoded.prefix.insert(encoded.prefix.end(),
                            {config_.tokens.boi, config_.tokens.image, config_.tokens.eoi});
    }
  }
  flush();
  if (encoded.pictures.empty()) {
    // A text conversation: the first token is prefix enough, so that the rest has something to see.
    encoded.prefix.push_back(encoded.rest.front());
    encoded.rest.erase(encoded.rest.begin());
  }
  return encoded;
}

Branch PromptEncoder::branch(std::vector<TokenId> rest, const std::string& answer) const {
  Branch branch;
  branch.tokens = std::move(rest);
  branch.answer_begin = static_cast<std::int64_t>(branch.tokens.size());
  tokenizer_.encode(answer, ParseSpecial::kNo, branch.tokens);
  branch.tokens.push_back(end_of_turn_);
  return branch;
}

std::vector<TokenId> PromptEncoder::caption(const std::string& text) const {
  std::vector<TokenId> tokens = {config_.tokens.bos};
  tokenizer_.encode(text, ParseSpecial::kNo, tokens);
  return tokens;
}

std::vector<TokenId> PromptEncoder::expand(const std::vector<TokenId>& prefix,
                                           const std::vector<std::int64_t>& counts) const {
  std::vector<TokenId> expanded;
  std::size_t picture = 0;
  for (const TokenId token : prefix) {
    const bool placeholder = token == config_.tokens.image;
    const std::int64_t count = placeholder ? counts.at(picture++) : 1;
    expanded.insert(expanded.end(), static_cast<std::size_t>(count), token);
  }
  return expanded;
}

std::int64_t PromptEncoder::picture_tokens(const Image& picture, const std::string& name) const {
  if (!config_.vision.has_value()) {
    throw Error(ErrorCode::kInput,
                "the model takes no pictures (config.json has no vision_config)");
  }
  const ImageSize size =
      processed_size(source_size(picture), *config_.vision, config_.image_processor, 0, name);
  const std::int64_t side = config_.vision->model_patch_size();
  return size.height / side * (size.width / side);
}

std::string PromptEncoder::answer_text(const Branch& branch) const {
  const std::vector<TokenId> answer(branch.tokens.begin() + branch.answer_begin,
                                    branch.tokens.end() - 1);
  return tokenizer_.decode(answer);
}

}  // namespace nolens::train
