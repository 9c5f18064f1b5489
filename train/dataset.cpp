#include "dataset.h"

#include <fstream>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "nolens/chat.h"
#include "nolens/error.h"

#include "core/escape.h"
#include "formats/json.h"
#include "platform/mapped_file.h"

namespace nolens::train {
namespace {

Error line_error(const std::string& reason) {
  return {ErrorCode::kInput, reason};
}

const Json& member(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) {
    throw line_error(std::string("'") + key + "' is missing");
  }
  return *found;
}

std::string text_member(const Json& object, const char* key) {
  const Json& value = member(object, key);
  if (!value.is_string()) {
    throw line_error(std::string("'") + key + "' is not a string");
  }
  return value.get<std::string>();
}

Role role_of(const std::string& name) {
  if (name == "system") {
    return Role::kSystem;
  }
  if (name == "user") {
    return Role::kUser;
  }
  if (name == "assistant" || name == "model") {
    return Role::kAssistant;
  }
  throw line_error("role '" + escape_for_message(name) + "' is none of system, user, assistant");
}

/// Paths of the line's pictures, in order.
std::vector<std::string> picture_paths(const Json& line) {
  std::vector<std::string> paths;
  if (line.contains("image")) {
    paths.push_back(text_member(line, "image"));
  }
  if (const auto many = line.find("images"); many != line.end()) {
    if (!many->is_array()) {
      throw line_error("'images' is not an array");
    }
    for (const Json& path : *many) {
      if (!path.is_string()) {
        throw line_error("'images' holds something that is not a string");
      }
      paths.push_back(path.get<std::string>());
    }
  }
  return paths;
}

/// Message content: text, or parts of type text and image. An image part takes the next path.
void append_content(const Json& content, std::span<const std::string>& paths, Message& message) {
  if (content.is_string()) {
    message.content.emplace_back(TextPart{content.get<std::string>()});
    return;
  }
  if (!content.is_array()) {
    throw line_error("'content' is neither a string nor an array");
  }
  message.content_is_string = false;
  for (const Json& part : content) {
    if (!part.is_object()) {
      throw line_error("a content part is not an object");
    }
    const std::string type = text_member(part, "type");
    if (type == "text") {
      message.content.emplace_back(TextPart{text_member(part, "text")});
    } else if (type == "image" && !paths.empty()) {
      message.content.emplace_back(ImagePart{Image(), paths.front(), 0});
      paths = paths.subspan(1);
    } else {
      throw line_error(type == "image" ? "there are more image parts than 'images' has paths"
                                       : "content type '" + escape_for_message(type) +
                                             "' is neither text nor image");
    }
  }
}

std::vector<Message> messages_of(const Json& line, const std::vector<std::string>& paths) {
  const Json& list = member(line, "messages");
  if (!list.is_array() || list.empty()) {
    throw line_error("'messages' is not an array with at least one message");
  }
  std::vector<Message> messages;
  std::span<const std::string> unused(paths);
  for (const Json& item : list) {
    if (!item.is_object()) {
      throw line_error("a message is not an object");
    }
    Message message;
    message.role = role_of(text_member(item, "role"));
    append_content(member(item, "content"), unused, message);
    messages.push_back(std::move(message));
  }
  // Pictures without a place of their own stand before the first question.
  for (Message& message : messages) {
    if (message.role == Role::kUser && !unused.empty()) {
      std::vector<ContentPart> parts;
      for (const std::string& path : unused) {
        parts.emplace_back(ImagePart{Image(), path, 0});
      }
      message.content.insert(message.content.begin(), parts.begin(), parts.end());
      message.content_is_string = false;
      unused = {};
    }
  }
  if (!unused.empty()) {
    throw line_error("there is a picture but no user message");
  }
  return messages;
}

std::string text_of(const Message& message) {
  std::string text;
  for (const ContentPart& part : message.content) {
    if (const auto* words = std::get_if<TextPart>(&part)) {
      text += words->text;
    }
  }
  return text;
}

/// Takes lines one by one and merges those about the same picture.
class Collector {
 public:
  Collector(std::filesystem::path folder, const PromptEncoder& encoder, std::int64_t max_tokens)
      : folder_(std::move(folder)), encoder_(encoder), max_tokens_(max_tokens) {}

  void take(const std::string& text, Dataset& dataset) {
    const Json line = parse_json(text, "the line", ErrorCode::kInput);
    if (!line.is_object()) {
      throw line_error("the line is not an object");
    }
    const std::vector<std::string> paths = picture_paths(line);
    const std::vector<Message> messages = messages_of(line, paths);
    std::vector<Image> pictures;
    for (const std::string& path : paths) {
      pictures.push_back(picture(path));
    }
    // Everything is built before the data set changes, so that a bad line leaves nothing behind.
    std::vector<std::pair<PromptEncoder::Encoded, Branch>> answers;
    std::string first_answer;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (messages[i].role != Role::kAssistant) {
        continue;
      }
      PromptEncoder::Encoded prompt =
          encoder_.encode({messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(i)});
      const std::string answer = text_of(messages[i]);
      if (answer.empty()) {
        throw line_error("an assistant message is empty");
      }
      if (first_answer.empty()) {
        first_answer = answer;
      }
      Branch branch = encoder_.branch(prompt.rest, answer);
      auto tokens = static_cast<std::int64_t>(prompt.prefix.size() + branch.tokens.size());
      for (std::size_t p = 0; p < prompt.pictures.size(); ++p) {
        tokens += encoder_.picture_tokens(pictures[p], paths[p]) - 1;
      }
      if (tokens > max_tokens_) {
        throw line_error("the conversation has " + std::to_string(tokens) +
                         " tokens, more than the limit of " + std::to_string(max_tokens_));
      }
      answers.emplace_back(std::move(prompt), std::move(branch));
    }
    if (answers.empty()) {
      throw line_error("no assistant message: there is nothing to learn");
    }
    const std::string caption =
        line.contains("caption") ? text_member(line, "caption") : first_answer;
    for (auto& [prompt, branch] : answers) {
      std::string key;
      for (const std::string& name : prompt.pictures) {
        key += name + '\n';
      }
      Example& example = example_of(key, prompt, pictures, dataset);
      example.branches.push_back(std::move(branch));
      if (example.caption.empty()) {
        example.caption = caption;
      }
    }
  }

 private:
  const Image& picture(const std::string& path) {
    const auto known = pictures_.find(path);
    if (known != pictures_.end()) {
      return known->second;
    }
    const MappedFile file(folder_ / path, ErrorCode::kInput);
    return pictures_.emplace(path, Image::decode(file.bytes(), path)).first->second;
  }

  Example& example_of(const std::string& key, const PromptEncoder::Encoded& prompt,
                      const std::vector<Image>& pictures, Dataset& dataset) {
    const auto [place, is_new] = index_.try_emplace({key, prompt.prefix}, dataset.examples.size());
    if (is_new) {
      Example example;
      example.prefix = prompt.prefix;
      example.pictures.assign(
          pictures.begin(), pictures.begin() + static_cast<std::ptrdiff_t>(prompt.pictures.size()));
      example.key = key;
      dataset.examples.push_back(std::move(example));
    }
    return dataset.examples[place->second];
  }

  std::filesystem::path folder_;
  const PromptEncoder& encoder_;
  std::int64_t max_tokens_;
  std::map<std::string, Image> pictures_;
  std::map<std::pair<std::string, std::vector<TokenId>>, std::size_t> index_;
};

}  // namespace

Dataset read_dataset(const std::filesystem::path& file, const PromptEncoder& encoder,
                     std::int64_t max_tokens) {
  std::ifstream stream(file);
  if (!stream) {
    throw Error(ErrorCode::kUsage,
                "cannot read the training data '" + escape_for_message(file.string()) + "'");
  }
  Dataset dataset;
  Collector collector(file.parent_path(), encoder, max_tokens);
  std::string text;
  for (std::int64_t number = 1; std::getline(stream, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) {
      continue;
    }
    ++dataset.lines;
    try {
      collector.take(text, dataset);
    } catch (const Error& error) {
      dataset.bad_lines.push_back({number, error.what()});
    }
  }
  return dataset;
}

}  // namespace nolens::train
