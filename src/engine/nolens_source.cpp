#include "engine/nolens_source.h"

#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "nolens/error.h"

#include "core/escape.h"
#include "formats/config_reader.h"
#include "formats/gguf/gguf_config.h"
#include "formats/gguf/gguf_fields.h"
#include "formats/gguf/gguf_names.h"
#include "formats/gguf/gguf_set.h"
#include "platform/release_pages.h"
#include "text/gguf_vocabulary.h"
#include "text/tokenizer_json.h"

namespace nolens {
namespace {

struct NamedDtype {
  const char* name;
  SourceDtype dtype;
};
constexpr std::array<NamedDtype, 3> kDtypes{{{"float32", SourceDtype::kFloat32},
                                             {"float16", SourceDtype::kFloat16},
                                             {"bfloat16", SourceDtype::kBfloat16}}};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The metadata of a GGUF file, which knows the tensors of the .nolens file by its own names for
/// them.
GgufSet gguf_metadata(const NolensFile& file, std::string_view document) {
  std::vector<GgufTensorSpec> tensors;
  for (const TensorView& tensor : file.tensors()) {
    if (std::string name = gguf_name(tensor.name); !name.empty()) {
      tensors.push_back({std::move(name), DType::kF32, tensor.shape});
    }
  }
  return GgufSet::from_metadata(bytes_of(file.document(document)), file.name(), tensors);
}

bool has_gguf(const NolensFile& file) {
  return !file.document(kNolensGguf).empty();
}

ModelConfig read_config(const NolensFile& file, SourceDtype source_dtype, const LogSink& log) {
  if (!has_gguf(file)) {
    return model_config_from_documents(
        {file.text("config.json"), file.text("generation_config.json"),
         file.text("processor_config.json"), file.text("name"), file.text("licence")},
        source_dtype, log);
  }
  const GgufSet text = gguf_metadata(file, kNolensGguf);
  if (file.document(kNolensMmproj).empty()) {
    return read_gguf_config(text, nullptr);
  }
  const GgufSet mmproj = gguf_metadata(file, kNolensMmproj);
  return read_gguf_config(text, &mmproj);
}

ChatTemplate read_template(const NolensFile& file) {
  if (!has_gguf(file)) {
    return {file.text("chat_template"), file.name()};
  }
  const GgufFile gguf = GgufFile::parse(bytes_of(file.document(kNolensGguf)), file.name());
  const auto text = GgufFields(gguf, "tokenizer.").text("chat_template");
  return {std::string(text.value_or(std::string_view{})), file.name()};
}

}  // namespace

SourceDtype source_dtype_named(const std::string& name, const std::string& file) {
  for (const NamedDtype& known : kDtypes) {
    if (name == known.name) {
      return known.dtype;
    }
  }
  throw Error(ErrorCode::kModel, file + ": nolens.source_dtype is '" +
                                     escape_for_message(name, 40) +
                                     "', expected float32, float16 or bfloat16");
}

const char* source_dtype_name(SourceDtype dtype) noexcept {
  return kDtypes[static_cast<std::size_t>(dtype)].name;
}

Tokenizer nolens_tokenizer(const NolensFile& file) {
  if (has_gguf(file)) {
    const GgufFile gguf = GgufFile::parse(bytes_of(file.document(kNolensGguf)), file.name());
    return Tokenizer::from_data(gguf_vocabulary(gguf));
  }
  const std::string_view json = file.document(kNolensTokenizer);
  if (json.empty()) {
    throw Error(ErrorCode::kModel, file.name() + ": has no tokenizer; quantise the model again");
  }
  return Tokenizer::from_data(parse_tokenizer_json(json, file.name() + " (tokenizer.json)"));
}

ModelSource open_nolens(const std::filesystem::path& path, const LogSink& log) {
  auto file = NolensFile::open(path);
  const SourceDtype source_dtype = source_dtype_named(file->text("source_dtype"), file->name());
  ModelConfig config = read_config(*file, source_dtype, log);
  config.name = escape_for_message(file->text("name"));
  Tokenizer tokenizer = nolens_tokenizer(*file);
  ChatTemplate chat_template = read_template(*file);
  // Tens of megabytes that are not read again.
  for (const std::string_view document : {kNolensTokenizer, kNolensGguf, kNolensMmproj}) {
    release_pages(bytes_of(file->document(document)));
  }
  std::string format = ".nolens " + std::string(kNolensVersion) + ", " +
                       std::string(kNolensLayout) + ", " + escape_for_message(file->text("format"));
  return {std::move(config),    nolens_tensor_store(std::move(file)),
          std::move(tokenizer), std::move(chat_template),
          std::move(format),    source_dtype};
}

}  // namespace nolens
