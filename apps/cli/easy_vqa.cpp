#include "easy_vqa.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "nolens/error.h"

#include "files.h"

namespace nolens::cli {
namespace {

constexpr std::size_t kMaxQuestionsBytes = std::size_t{64} << 20U;
constexpr std::int64_t kMaxAnswerTokens = 16;
/// Mean of the light grounds in the data set, so that a blank picture looks like an empty one.
constexpr std::uint8_t kBlankLevel = 243;

struct Question {
  std::string text;
  std::string answer;
};
/// Questions by picture, in the order of the pictures' first questions.
struct Picture {
  std::int64_t id = 0;
  std::vector<Question> questions;
};

std::vector<Picture> read_questions(const std::filesystem::path& folder, std::int64_t limit) {
  const std::filesystem::path path = folder / "questions.json";
  const auto json = nlohmann::json::parse(read_input_file(path, kMaxQuestionsBytes), nullptr,
                                          /*allow_exceptions=*/false);
  if (!json.is_array() || json.empty()) {
    throw Error(ErrorCode::kInput, quoted_path(path) + ": expected an array of questions");
  }
  std::vector<Picture> pictures;
  std::map<std::int64_t, std::size_t> index_of;
  std::int64_t count = 0;
  for (const auto& entry : json) {
    if (limit > 0 && count == limit) {
      break;
    }
    if (!entry.is_array() || entry.size() != 3 || !entry[0].is_string() || !entry[1].is_string() ||
        !entry[2].is_number_integer() || entry[2] < 0) {
      throw Error(ErrorCode::kInput, quoted_path(path) + ": element " + std::to_string(count) +
                                         " must be [question, answer, image id]");
    }
    const auto id = entry[2].get<std::int64_t>();
    const auto [place, is_new] = index_of.try_emplace(id, pictures.size());
    if (is_new) {
      pictures.push_back({id, {}});
    }
    pictures[place->second].questions.push_back(
        {entry[0].get<std::string>(), entry[1].get<std::string>()});
    ++count;
  }
  return pictures;
}

AnswerKind kind_of(const std::string& answer) {
  if (answer == "yes" || answer == "no") {
    return AnswerKind::kYesNo;
  }
  if (answer == "circle" || answer == "rectangle" || answer == "triangle") {
    return AnswerKind::kShape;
  }
  return AnswerKind::kColour;
}

std::string normalized(std::string_view answer) {
  const auto is_blank = [](char letter) {
    return letter == ' ' || letter == '\n' || letter == '\t';
  };
  while (!answer.empty() && is_blank(answer.front())) {
    answer.remove_prefix(1);
  }
  while (!answer.empty() && (is_blank(answer.back()) || answer.back() == '.')) {
    answer.remove_suffix(1);
  }
  std::string result(answer);
  for (char& letter : result) {
    letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return result;
}

Image blank_like(const Image& image) {
  return Image::from_rgb8(image.width(), image.height(),
                          std::vector<std::uint8_t>(image.rgb().size(), kBlankLevel));
}

/// The prompt of one question, cut behind the picture: what all its questions share, and the rest.
std::pair<Prompt, Prompt> split_prompt(const Image& image, const std::string& question) {
  Message message;
  message.content_is_string = false;
  message.content = {ImagePart{image, "picture", 0}, TextPart{question}};
  Prompt prompt = render_chat({message}, {});
  const auto picture = std::find_if(prompt.begin(), prompt.end(), [](const PromptPart& part) {
    return std::holds_alternative<PromptImage>(part);
  });
  Prompt rest(std::make_move_iterator(std::next(picture)), std::make_move_iterator(prompt.end()));
  prompt.erase(std::next(picture), prompt.end());
  return {std::move(prompt), std::move(rest)};
}

}  // namespace

EasyVqaScore run_easy_vqa(const std::shared_ptr<const Model>& model, const EasyVqaOptions& options,
                          const ProgressSink& progress) {
  const std::vector<Picture> pictures = read_questions(options.data, options.limit);
  GenerateOptions generate;
  generate.max_tokens = kMaxAnswerTokens;
  generate.sampler.temperature = 0.0F;
  Session session(model, options.session);
  EasyVqaScore score;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const std::filesystem::path file =
        options.data / "images" / (std::to_string(pictures[i].id) + ".png");
    Image image = read_picture(file.string(), {}).image;
    if (options.blank) {
      image = blank_like(image);
    }
    session.set_context(split_prompt(image, "").first);
    for (const Question& question : pictures[i].questions) {
      Session branch = session.fork();
      branch.append(split_prompt(image, question.text).second);
      const ParsedOutput output = parse_output(branch.generate(generate).text);
      const auto kind = static_cast<std::size_t>(kind_of(question.answer));
      ++score.asked[kind];
      score.right[kind] += normalized(output.text) == question.answer ? 1 : 0;
      progress(static_cast<double>(i) / static_cast<double>(pictures.size()));
    }
  }
  return score;
}

}  // namespace nolens::cli
