#include "export.h"

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "nolens/error.h"

#include "core/float16.h"
#include "formats/config_reader.h"
#include "formats/safetensors_writer.h"
#include "formats/tensor_store.h"
#include "platform/atomic_file.h"
#include "platform/mapped_file.h"

namespace nolens::train {
namespace {

constexpr const char* kCopiedFiles[] = {"generation_config.json",   "processor_config.json",
                                        "preprocessor_config.json", "tokenizer.json",
                                        "tokenizer_config.json",    "chat_template.jinja"};
constexpr std::size_t kMaxFileBytes = 64U << 20U;

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t side : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(side);
  }
  return text + "]";
}

at::Tensor read_tensor(const TensorView& tensor) {
  at::ScalarType type = at::kFloat;
  switch (tensor.dtype) {
    case DType::kF32: type = at::kFloat; break;
    case DType::kF16: type = at::kHalf; break;
    case DType::kBf16: type = at::kBFloat16; break;
    default:
      throw Error(ErrorCode::kModel, "tensor '" + tensor.name +
                                         "' is quantised; training starts from F32, F16 or BF16");
  }
  const at::Tensor values = at::empty(tensor.shape, at::TensorOptions().dtype(type));
  std::memcpy(values.data_ptr(), tensor.data, static_cast<std::size_t>(tensor.bytes));
  return values;
}

Json read_document(const std::filesystem::path& file) {
  return parse_json(read_file(file, kMaxFileBytes, ErrorCode::kModel), file.filename().string(),
                    ErrorCode::kModel);
}

Json read_optional_document(const std::filesystem::path& file) {
  return std::filesystem::exists(file) ? read_document(file) : Json();
}

}  // namespace

ModelConfig read_training_config(const std::filesystem::path& directory, bool from_scratch) {
  if (!from_scratch) {
    return read_model_config(directory);
  }
  return model_config_from_json(read_document(directory / "config.json"),
                                read_optional_document(directory / "generation_config.json"),
                                read_optional_document(directory / "processor_config.json"),
                                "config.json");
}

void load_weights(const std::filesystem::path& directory, ParameterSet& parameters) {
  const at::NoGradGuard no_gradients;
  const TensorStore store = TensorStore::open_directory(directory);
  for (std::size_t i = 0; i < parameters.specs().size(); ++i) {
    const ParameterSpec& spec = parameters.specs()[i];
    if (!spec.exported) {
      continue;
    }
    const TensorView* tensor = store.find(spec.name);
    if (tensor == nullptr) {
      throw Error(ErrorCode::kModel,
                  directory.string() + ": tensor '" + spec.name + "' is missing");
    }
    if (tensor->shape != spec.shape) {
      throw Error(ErrorCode::kModel, directory.string() + ": tensor '" + spec.name +
                                         "' has shape " + shape_text(tensor->shape) +
                                         ", expected " + shape_text(spec.shape) +
                                         " from config.json");
    }
    parameters.view(parameters.values(), i).copy_(read_tensor(*tensor));
  }
}

void export_model(const std::filesystem::path& source, const std::filesystem::path& directory,
                  const ParameterSet& parameters, const at::Tensor& values) {
  create_folders(directory);
  for (const char* name : kCopiedFiles) {
    const std::filesystem::path file = source / name;
    if (std::filesystem::exists(file)) {
      write_file_atomically(directory / name, read_file(file, kMaxFileBytes, ErrorCode::kModel));
    }
  }
  const at::Tensor host = values.detach().to(at::kCPU).contiguous();
  std::vector<TensorSpec> specs;
  std::vector<at::Tensor> tensors;
  for (std::size_t i = 0; i < parameters.specs().size(); ++i) {
    const ParameterSpec& spec = parameters.specs()[i];
    if (spec.exported) {
      specs.push_back({spec.name, DType::kF32, spec.shape});
      tensors.push_back(parameters.view(host, i));
    }
  }
  SafetensorsWriter writer(directory / "model.safetensors", std::move(specs), {{"format", "pt"}});
  for (const at::Tensor& tensor : tensors) {
    const auto* data = tensor.data_ptr<float>();
    writer.append(std::as_bytes(std::span(data, static_cast<std::size_t>(tensor.numel()))));
  }
  writer.commit();
  // Last, so that a first export that was cut short is no model. The stored number format, which
  // fixes the rounding of the embedding scale, is float32 from now on.
  Json config = read_document(source / "config.json");
  config["dtype"] = "float32";
  config.erase("torch_dtype");
  write_file_atomically(directory / "config.json", config.dump(2) + "\n");
}

}  // namespace nolens::train
