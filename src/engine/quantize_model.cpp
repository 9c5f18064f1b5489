// nolens/quantize.h: opens a model as loading does, plans its tensors, writes them.
#include <algorithm>
#include <array>
#include <optional>
#include <system_error>
#include <utility>

#include "nolens/error.h"
#include "nolens/quantize.h"

#include "core/dtype.h"
#include "core/escape.h"
#include "engine/model_source.h"
#include "engine/nolens_source.h"
#include "formats/config_reader.h"
#include "formats/gguf/gguf_names.h"
#include "formats/gguf/gguf_set.h"
#include "formats/gguf/gguf_writer.h"
#include "formats/model_directory.h"
#include "formats/nolens_file.h"
#include "formats/tensor_specs.h"
#include "platform/list_folder.h"
#include "platform/mapped_file.h"
#include "platform/quoted_path.h"
#include "platform/thread_pool.h"
#include "quantize/write_model.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;

struct NamedFormat {
  const char* name;
  std::optional<DType> dtype;  ///< empty = as it is
};
constexpr std::array<NamedFormat, 11> kFormats{{{"nf4", DType::kNf4},
                                                {"fp4", DType::kFp4},
                                                {"q4_0", DType::kQ4_0},
                                                {"q4_1", DType::kQ4_1},
                                                {"iq4_nl", DType::kIQ4_NL},
                                                {"q5_0", DType::kQ5_0},
                                                {"q5_1", DType::kQ5_1},
                                                {"q6_k", DType::kQ6_K},
                                                {"q8_0", DType::kQ8_0},
                                                {"bf16", DType::kBf16},
                                                {"keep", std::nullopt}}};

const NamedFormat& find_format(const std::string& name, const char* option) {
  const auto* found = std::find_if(kFormats.begin(), kFormats.end(),
                                   [&](const NamedFormat& format) { return name == format.name; });
  if (found == kFormats.end()) {
    std::string names;
    for (const NamedFormat& format : kFormats) {
      names += (names.empty() ? "" : ", ") + std::string(format.name);
    }
    throw Error(ErrorCode::kUsage, std::string(option) + " '" + escape_for_message(name) +
                                       "' is unknown; expected one of " + names);
  }
  return *found;
}

TensorFormats read_formats(const QuantizeOptions& options) {
  TensorFormats formats;
  formats.linear = find_format(options.format, "format").dtype;
  formats.head = options.head_format == "same"
                     ? formats.linear
                     : find_format(options.head_format, "head format").dtype;
  formats.nested = options.double_quant;
  const auto has_scales = [](const std::optional<DType>& dtype) {
    return dtype && needs_scales(*dtype);
  };
  if (options.double_quant && !has_scales(formats.linear) && !has_scales(formats.head)) {
    throw Error(
        ErrorCode::kUsage,
        "double quantisation is for the scales of nf4 and fp4; the format is " + options.format);
  }
  return formats;
}

/// \throws Error{kUsage} if `out` is, perhaps under another name, a file of the model
void check_out(const fs::path& out, const ModelFiles& files) {
  std::error_code error;
  if (out.extension() != kNolensExtension) {
    throw Error(ErrorCode::kUsage,
                "the file to write must end in .nolens, found " + quoted_path(out));
  }
  if (!fs::exists(out, error)) {
    return;
  }
  const fs::path folder = files.gguf.empty()             ? files.directory
                          : files.gguf.has_parent_path() ? files.gguf.parent_path()
                                                         : fs::path(".");
  std::vector<fs::path> sources = {files.gguf, files.mmproj};
  int ignored = 0;  // a folder that cannot be listed has no files that could be read
  for (const std::string& name : list_folder(folder, ignored)) {
    if (fs::path(name).extension() != kNolensExtension) {
      sources.push_back(folder / name);
    }
  }
  for (const fs::path& source : sources) {
    if (!source.empty() && fs::equivalent(source, out, error)) {
      throw Error(ErrorCode::kUsage, quoted_path(out) + " is the same file as " +
                                         quoted_path(source) +
                                         ", which is a part of the model; name another one");
    }
  }
}

/// Everything a GGUF file says beside its tensors' values, as a GGUF file of its own.
std::string gguf_document(const fs::path& path) {
  const GgufSet set = GgufSet::open(path);
  GgufMetadata metadata;
  for (const auto& [key, value] : set.first().metadata()) {
    if (key != "general.alignment" && !key.starts_with("split.")) {
      metadata.add_copy(key, value);
    }
  }
  const std::vector<float> rope = set.find_floats(kRopeFreqs);
  return gguf_bytes(metadata, rope.empty() ? std::string_view{} : kRopeFreqs, rope);
}

/// The documents of a model and what holds their bytes.
struct Documents {
  ModelDocuments written;
  std::string gguf;
  std::string mmproj;
  MappedFile tokenizer;
};

void read_documents(const ModelFiles& files, const ModelSource& source, Documents& documents) {
  auto& [texts, kept] = documents.written;
  texts["name"] = source.config.name;
  texts["licence"] = source.config.licence;
  texts["source"] = source.format;
  if (!files.gguf.empty()) {
    documents.gguf = gguf_document(files.gguf);
    kept.emplace_back(kNolensGguf, documents.gguf);
    // The projector that is used: one that was found beside the model may not fit it.
    if (source.config.vision || source.config.audio) {
      documents.mmproj = gguf_document(files.mmproj);
      kept.emplace_back(kNolensMmproj, documents.mmproj);
    }
    return;
  }
  const ConfigDocuments configs = read_config_documents(files.directory);
  texts["config.json"] = configs.config;
  texts["generation_config.json"] = configs.generation;
  texts["processor_config.json"] = configs.processor;
  texts["chat_template"] = source.chat_template.text;
  documents.tokenizer =
      MappedFile(model_file(files.directory, "tokenizer.json"), ErrorCode::kModel);
  const auto bytes = documents.tokenizer.bytes();
  kept.emplace_back(kNolensTokenizer,
                    std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

/// Such as "NF4 with nested scales, head Q6_K, from GGUF v3".
std::string describe(const QuantizeOptions& options, const std::string& source) {
  const auto upper = [](std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return text;
  };
  std::string text = options.format == "keep" ? "weights as they were" : upper(options.format);
  text += options.double_quant ? " with nested scales" : "";
  if (options.head_format != "same" && options.head_format != options.format) {
    text += ", head " + (options.head_format == "keep" ? "as it was" : upper(options.head_format));
  }
  return text + ", from " + source;
}

}  // namespace

std::vector<std::string> quantize_formats() {
  std::vector<std::string> names;
  std::transform(kFormats.begin(), kFormats.end(), std::back_inserter(names),
                 [](const NamedFormat& format) { return format.name; });
  return names;
}

QuantizeResult quantize_model(const std::filesystem::path& model, const QuantizeOptions& options) {
  const TensorFormats formats = read_formats(options);
  const ModelFiles files = find_model_files(model, options.mmproj);
  if (!files.nolens.empty()) {
    throw Error(ErrorCode::kUsage,
                quoted_path(files.nolens) +
                    " is a .nolens file already; start from the model it was made of");
  }
  check_out(options.out, files);
  const ModelSource source = open_model_source(files, options.log);
  check_tensors(source.config, source.store, options.log);
  Documents documents;
  read_documents(files, source, documents);
  documents.written.texts["format"] = describe(options, source.format);
  documents.written.texts["source_dtype"] = source_dtype_name(
      source_dtype_of(*find_tensor(source.store, "model.language_model.embed_tokens.weight")));

  const std::vector<TensorPlan> plans = plan_tensors(source.store, formats);
  ThreadPool pool(options.num_threads);
  QuantizeResult result;
  result.source_bytes = source.store.total_bytes();
  result.notes = plan_notes(plans);
  result.file_bytes = write_model(options.out, plans, documents.written, pool,
                                  {.release_sources = true, .progress = options.progress});
  return result;
}

void verify_model_file(const std::filesystem::path& file, const ProgressSink& progress) {
  NolensFile::open(file)->verify(progress);
}

}  // namespace nolens
