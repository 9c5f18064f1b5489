// nolens tokenize TEXT: text to ids, or ids to text.
#include <charconv>
#include <memory>

#include "nolens/error.h"
#include "nolens/model.h"

#include "commands.h"
#include "files.h"
#include "json_output.h"
#include "model_path.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct TokenizeOptions {
  std::string model;
  std::vector<std::string> arguments;
  bool parse_special = false;
  bool decode = false;
  bool json = false;
};

constexpr std::size_t kMaxTextBytes = std::size_t{64} << 20U;

TokenId parse_id(const std::string& text, const Tokenizer& tokenizer) {
  TokenId id = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, id);
  if (error != std::errc() || rest != end || id < 0 || id >= tokenizer.size()) {
    throw Error(ErrorCode::kUsage, "expected a token id from 0 to " +
                                       std::to_string(tokenizer.size() - 1) + ", found '" + text +
                                       "'");
  }
  return id;
}

std::string ids_text(const std::vector<TokenId>& ids) {
  std::string text;
  for (const TokenId id : ids) {
    text += (text.empty() ? "" : " ") + std::to_string(id);
  }
  return text + "\n";
}

int run_tokenize(const TokenizeOptions& options) {
  const Tokenizer tokenizer = load_tokenizer(choose_model(options.model));
  std::vector<TokenId> ids;
  std::string text;
  if (options.decode) {
    for (const std::string& argument : options.arguments) {
      ids.push_back(parse_id(argument, tokenizer));
    }
    text = tokenizer.decode(ids);
  } else {
    if (options.arguments.size() > 1) {
      throw Error(ErrorCode::kUsage, "tokenize takes one text; put it between quotes");
    }
    const bool from_stdin = options.arguments.empty() || options.arguments.front() == "-";
    text = from_stdin ? read_stdin(kMaxTextBytes) : options.arguments.front();
    ids = tokenizer.encode(text, options.parse_special ? ParseSpecial::kYes : ParseSpecial::kNo);
  }
  if (!options.json) {
    print(options.decode ? text + "\n" : ids_text(ids));
    return 0;
  }
  OutputJson json = {{"ids", ids}, {"text", text}, {"pieces", OutputJson::array()}};
  for (const TokenId id : ids) {
    json["pieces"].push_back(std::string(tokenizer.piece(id)));
  }
  print(json_line(json));
  return 0;
}

}  // namespace

void add_tokenize(CLI::App& app, Action& action) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* command = app.add_subcommand("tokenize", "Show the token ids of a text");
  command
      ->add_option("arguments", options->arguments,
                   "The text; without it, stdin. With --decode, ids")
      ->type_name("TEXT");
  command->add_option("-m,--model", options->model, "Hugging Face directory or GGUF file of the model")
      ->type_name("MODEL");
  command->add_flag("--parse-special", options->parse_special,
                    "Let strings such as <bos> become control tokens");
  command->add_flag("--decode", options->decode, "Turn ids into text instead");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &action] { action = [options] { return run_tokenize(*options); }; });
}

}  // namespace nolens::cli
