#include "export.h"

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "core/float16.h"
#include "formats/safetensors_writer.h"
#include "formats/tensor_store.h"
#include "nolens/error.h"
#include "platform/atomic_file.h"
#include "platform/mapped_file.h"

namespace nolens::train {
namespace {

constexpr const char* kModelFiles[] = {"config.json",           "generation_config.json",
                                       "processor_config.json", "tokenizer.json",
                                       "tokenizer_config.json", "chat_template.jinja"};
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

}  // namespace

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
      throw Error(ErrorCode::kModel, directory.string() + ": tensor '" + spec.name + "' is missing");
    }
    if (tensor->shape != spec.shape) {
      throw Error(ErrorCode::kModel, directory.string() + ": tensor '" + spec.name + "' has shape " +
                                         shape_text(tensor->shape) + ", expected " +
                                         shape_text(spec.shape) + " from config.json");
    }
    parameters.view(parameters.values(), i).copy_(read_tensor(*tensor));
  }
}

void export_model(const std::filesystem::path& source, const std::filesystem::path& directory,
                  const ParameterSet& parameters, const at::Tensor& values) {
  std::filesystem::create_directories(directory);
  for (const char* name : kModelFiles) {
    const std::filesystem::path file = source / name;
    if (std::filesystem::exists(file) && !std::filesystem::equivalent(source, directory)) {
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
}

}  // namespace nolens::train
