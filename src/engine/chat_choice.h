// Which conversation format a model was made for.
#pragma once

#include <filesystem>
#include <string>

#include "nolens/chat.h"
#include "nolens/log.h"
#include "nolens/tokenizer.h"

namespace nolens {

/// The Jinja text a model came with.
struct ChatTemplate {
  std::string text;    ///< empty = the model has none
  std::string source;  ///< the file it was read from, for messages
};

/// chat_template.jinja of a Hugging Face directory, or else "chat_template" of its
/// tokenizer_config.json. \throws Error{kModel} if a file is there and cannot be read
ChatTemplate read_chat_template(const std::filesystem::path& directory);

/// The family of the template. Where there is none, or none that is known (which is a warning), the
/// vocabulary decides by its control tokens.
ChatFamily choose_chat_family(const ChatTemplate& chat_template, const Tokenizer& tokenizer,
                              const LogSink& log);

}  // namespace nolens
