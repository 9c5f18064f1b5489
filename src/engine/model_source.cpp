// Three kinds of models: Hugging Face directories, GGUF files, .nolens files.
#include "engine/model_source.h"

#include <algorithm>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "nolens/error.h"
#include "nolens/model.h"

#include "core/escape.h"
#include "engine/nolens_source.h"
#include "formats/config_reader.h"
#include "formats/gguf/gguf_config.h"
#include "formats/gguf/gguf_fields.h"
#include "formats/model_directory.h"
#include "platform/list_folder.h"
#include "platform/quoted_path.h"
#include "platform/release_pages.h"
#include "text/gguf_vocabulary.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".gguf";
constexpr const char* kTokenizerFile = "tokenizer.json";

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

bool is_gguf_name(const fs::path& path) {
  return lower_case(path.filename().native()).ends_with(kExtension);
}

bool is_nolens_name(const fs::path& path) {
  return lower_case(path.filename().native()).ends_with(kNolensExtension);
}

bool is_mmproj_name(const fs::path& path) {
  return lower_case(path.filename().native()).find("mmproj") != std::string::npos;
}

struct GgufNames {
  std::vector<std::string> models;  ///< language models; of split ones the first part
  std::vector<std::string> mmprojs;
};

GgufNames list_ggufs(const fs::path& directory) {
  GgufNames names;
  int ignored = 0;  // a folder that cannot be listed has no file that could be opened
  for (const std::string& name : list_folder(directory, ignored)) {
    if (is_gguf_name(name) && !is_later_gguf_part(name)) {
      (is_mmproj_name(name) ? names.mmprojs : names.models).push_back(name);
    }
  }
  std::sort(names.models.begin(), names.models.end());
  std::sort(names.mmprojs.begin(), names.mmprojs.end());
  return names;
}

std::string join(const std::vector<std::string>& names) {
  constexpr std::size_t kMaxListed = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMaxListed); ++i) {
    text += (i == 0 ? "" : ", ") + escape_for_message(names[i]);
  }
  return names.size() > kMaxListed
             ? text + " and " + std::to_string(names.size() - kMaxListed) + " more"
             : text;
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

/// The projector file beside a model, empty if there is none.
fs::path find_mmproj(const fs::path& model, const std::vector<std::string>& names) {
  const fs::path folder = folder_of(model);
  if (names.size() == 1) {
    return model_file(folder, names.front());
  }
  const std::string stem = lower_case(model.stem().native());
  std::vector<std::string> namesakes;
  std::copy_if(
      names.begin(), names.end(), std::back_inserter(namesakes),
      [&](const std::string& name) { return lower_case(name).find(stem) != std::string::npos; });
  if (namesakes.size() == 1) {
    return model_file(folder, namesakes.front());
  }
  if (!names.empty()) {
    throw Error(ErrorCode::kModel, quoted_path(folder) + " has several projector files: " +
                                       join(names) + "; choose one with --mmproj FILE");
  }
  return {};
}

bool has_safetensors(const fs::path& directory) {
  std::error_code error;
  return fs::exists(directory / "model.safetensors", error) ||
         fs::exists(directory / "model.safetensors.index.json", error);
}

/// The GGUF language model that `path` means, empty if it is a Hugging Face directory.
fs::path find_gguf(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return is_gguf_name(path) ? path : fs::path();
  }
  if (has_safetensors(path)) {
    return {};
  }
  const GgufNames names = list_ggufs(path);
  if (names.models.size() > 1) {
    throw Error(ErrorCode::kModel, "model folder " + quoted_path(path) + " has several models: " +
                                       join(names.models) + "; name one of these files");
  }
  if (names.models.empty() && !names.mmprojs.empty()) {
    throw Error(ErrorCode::kModel, "model folder " + quoted_path(path) + " has only " +
                                       join(names.mmprojs) +
                                       ", which is no language model; put the model beside it");
  }
  return names.models.empty() ? fs::path() : model_file(path, names.models.front());
}

ModelSource open_directory(const fs::path& directory, const LogSink& log) {
  ModelConfig config = read_model_config(directory, log);
  TensorStore store = TensorStore::open_directory(directory);
  return {std::move(config), std::move(store), Tokenizer::load(directory / kTokenizerFile),
          read_chat_template(directory), "safetensors"};
}

std::string format_of(const GgufFile& file) {
  const GgufValue* type = file.find("general.file_type");
  const auto id = type != nullptr ? type->integer() : std::nullopt;
  return "GGUF v" + std::to_string(file.version()) + (id ? ", " + gguf_file_type_name(*id) : "");
}

std::shared_ptr<const GgufSet> open_language_model(const fs::path& path) {
  auto set = std::make_shared<const GgufSet>(GgufSet::open(path));
  if (is_mmproj(set->first())) {
    throw Error(ErrorCode::kModel, set->first().name() +
                                       ": is a projector file, not a language model; name the "
                                       "model's file, and this one with --mmproj FILE");
  }
  return set;
}

/// nullptr if there is none, or if one that was merely found does not fit.
std::shared_ptr<const GgufSet> open_mmproj(const ModelFiles& files, const GgufSet& text,
                                           const LogSink& log) {
  if (files.mmproj.empty()) {
    return nullptr;
  }
  auto set = std::make_shared<const GgufSet>(GgufSet::open(files.mmproj));
  const std::string problem = mmproj_problem(text, *set);
  if (problem.empty() || files.mmproj_was_named) {
    return set;
  }
  if (log) {
    log(LogLevel::kWarning,
        set->first().name() + " is not used: " + problem + "; the model takes text only");
  }
  return nullptr;
}

ModelSource open_gguf(const ModelFiles& files, const LogSink& log) {
  const auto text = open_language_model(files.gguf);
  const auto mmproj = open_mmproj(files, *text, log);
  const GgufFile& file = text->first();
  ModelConfig config = read_gguf_config(*text, mmproj.get());
  const auto chat = GgufFields(file, "tokenizer.").text("chat_template");
  Tokenizer tokenizer = Tokenizer::from_data(gguf_vocabulary(file));
  release_pages(file.bytes());  // of what was read so far, the vocabulary is large and not read again
  std::vector<std::shared_ptr<const GgufSet>> sets{text};
  if (mmproj != nullptr) {
    sets.push_back(mmproj);
  }
  return {std::move(config), gguf_tensor_store(std::move(sets)),
          std::move(tokenizer),
          ChatTemplate{std::string(chat.value_or(std::string_view{})), file.name()},
          format_of(file)};
}

}  // namespace

ModelFiles find_model_files(const fs::path& path, const fs::path& mmproj) {
  ModelFiles files;
  std::error_code error;
  if (is_nolens_name(path) && !fs::is_directory(path, error)) {
    if (!mmproj.empty()) {
      throw Error(ErrorCode::kUsage, "--mmproj " + quoted_path(mmproj) +
                                         " is for GGUF models; " + quoted_path(path) +
                                         " holds all of its model");
    }
    files.nolens = path;
    return files;
  }
  files.gguf = find_gguf(path);
  if (files.gguf.empty()) {
    if (!mmproj.empty()) {
      throw Error(ErrorCode::kUsage, "--mmproj " + quoted_path(mmproj) +
                                         " is for GGUF models, but " + quoted_path(path) +
                                         " is none");
    }
    files.directory = path;
    return files;
  }
  files.mmproj_was_named = !mmproj.empty();
  files.mmproj = files.mmproj_was_named
                     ? mmproj
                     : find_mmproj(files.gguf, list_ggufs(folder_of(files.gguf)).mmprojs);
  return files;
}

ModelSource open_model_source(const ModelFiles& files, const LogSink& log) {
  if (!files.nolens.empty()) {
    return open_nolens(files.nolens, log);
  }
  return files.gguf.empty() ? open_directory(files.directory, log) : open_gguf(files, log);
}

SourceDtype source_dtype_of(const TensorView& embedding) {
  switch (embedding.dtype) {
    case DType::kF32: return SourceDtype::kFloat32;
    case DType::kF16: return SourceDtype::kFloat16;
    default: return SourceDtype::kBfloat16;
  }
}

Tokenizer load_tokenizer(const std::filesystem::path& model) {
  if (const ModelFiles files = find_model_files(model); !files.nolens.empty()) {
    return nolens_tokenizer(*NolensFile::open(files.nolens));
  }
  const fs::path gguf = find_gguf(model);
  if (gguf.empty()) {
    return Tokenizer::load(model / kTokenizerFile);
  }
  return Tokenizer::from_data(gguf_vocabulary(open_language_model(gguf)->first()));
}

}  // namespace nolens
