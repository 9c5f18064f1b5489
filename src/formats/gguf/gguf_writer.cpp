// The file's three sections, each written once.
#include "formats/gguf/gguf_writer.h"

#include <cstring>
#include <utility>

#include "nolens/error.h"

#include "core/check.h"
#include "core/checked_math.h"
#include "core/escape.h"
#include "formats/gguf/ggml_types.h"
#include "formats/gguf/gguf_file.h"
#include "platform/atomic_file.h"

namespace nolens {
namespace {

constexpr std::uint32_t kVersion = 3;

template <typename T>
void put(T value, std::string& bytes) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  bytes.append(raw, sizeof(T));
}

void put_text(std::string_view text, std::string& bytes) {
  put<std::uint64_t>(text.size(), bytes);
  bytes += text;
}

std::string padding(std::int64_t written) {
  return std::string(static_cast<std::size_t>(round_up(written, kDefaultGgufAlignment) - written),
                     '\0');
}

/// Everything before the data of the tensors, whose sizes go to `sizes`.
std::string make_head(const GgufMetadata& metadata, const std::vector<GgufTensorSpec>& tensors,
                      std::vector<std::int64_t>& sizes) {
  std::string head = "GGUF";
  put(kVersion, head);
  put<std::uint64_t>(tensors.size(), head);
  put(metadata.count(), head);
  head += metadata.bytes();
  std::int64_t offset = 0;
  for (const GgufTensorSpec& tensor : tensors) {
    put_text(tensor.name, head);
    put(static_cast<std::uint32_t>(tensor.shape.size()), head);
    for (auto extent = tensor.shape.rbegin(); extent != tensor.shape.rend(); ++extent) {
      put(*extent, head);
    }
    put(ggml_type_of(tensor.dtype).id, head);
    put(offset, head);
    sizes.push_back(gguf_tensor_bytes(tensor));
    offset = round_up(offset + sizes.back(), kDefaultGgufAlignment);
  }
  return head + padding(static_cast<std::int64_t>(head.size()));
}

}  // namespace

void GgufMetadata::add_copy(std::string_view key, const GgufValue& value) {
  if (value.is_array()) {
    add_array(key, value.element_type(), static_cast<std::size_t>(value.count()));
  } else {
    add_key(key, value.element_type());
  }
  bytes_ += value.stored();
}

std::string gguf_bytes(const GgufMetadata& metadata, std::string_view tensor,
                       std::span<const float> values) {
  std::vector<GgufTensorSpec> tensors;
  if (!tensor.empty()) {
    tensors.push_back(
        {std::string(tensor), DType::kF32, {static_cast<std::int64_t>(values.size())}});
  }
  std::vector<std::int64_t> sizes;
  std::string bytes = make_head(metadata, tensors, sizes);
  for (const float value : values) {
    put(value, bytes);
  }
  return bytes + padding(static_cast<std::int64_t>(bytes.size()));
}

void GgufMetadata::add_key(std::string_view key, GgufType type) {
  put_text(key, bytes_);
  put(type, bytes_);
  ++count_;
}

void GgufMetadata::add_array(std::string_view key, GgufType type, std::size_t count) {
  add_key(key, GgufType::kArray);
  put(type, bytes_);
  put<std::uint64_t>(count, bytes_);
}

void GgufMetadata::add_u32(std::string_view key, std::uint32_t value) {
  add_key(key, GgufType::kU32);
  put(value, bytes_);
}

void GgufMetadata::add_f32(std::string_view key, float value) {
  add_key(key, GgufType::kF32);
  put(value, bytes_);
}

void GgufMetadata::add_bool(std::string_view key, bool value) {
  add_key(key, GgufType::kBool);
  put<std::uint8_t>(value ? 1 : 0, bytes_);
}

void GgufMetadata::add_text(std::string_view key, std::string_view value) {
  add_key(key, GgufType::kString);
  put_text(value, bytes_);
}

void GgufMetadata::add_i32s(std::string_view key, std::span<const std::int32_t> values) {
  add_array(key, GgufType::kI32, values.size());
  for (const std::int32_t value : values) {
    put(value, bytes_);
  }
}

void GgufMetadata::add_f32s(std::string_view key, std::span<const float> values) {
  add_array(key, GgufType::kF32, values.size());
  for (const float value : values) {
    put(value, bytes_);
  }
}

void GgufMetadata::add_bools(std::string_view key, const std::vector<bool>& values) {
  add_array(key, GgufType::kBool, values.size());
  for (const bool value : values) {
    put<std::uint8_t>(value ? 1 : 0, bytes_);
  }
}

void GgufMetadata::add_texts(std::string_view key, std::span<const std::string> values) {
  add_array(key, GgufType::kString, values.size());
  for (const std::string& value : values) {
    put_text(value, bytes_);
  }
}

std::int64_t gguf_tensor_bytes(const GgufTensorSpec& spec) {
  const auto fail = [&](const std::string& what) -> std::int64_t {
    throw Error(ErrorCode::kUsage, "tensor '" + escape_for_message(spec.name) + "' " + what);
  };
  if (spec.shape.empty() || spec.shape.size() > kMaxGgufDims ||
      spec.shape.back() % block_size(spec.dtype) != 0) {
    return fail("needs 1 to 4 dimensions, and rows of whole blocks of " +
                std::string(dtype_name(spec.dtype)));
  }
  std::optional<std::int64_t> bytes = row_bytes(spec.dtype, spec.shape.back());
  for (std::size_t i = 0; i + 1 < spec.shape.size(); ++i) {
    bytes = bytes ? checked_mul(*bytes, spec.shape[i]) : std::nullopt;
  }
  return bytes && *bytes > 0 ? *bytes : fail("is empty or too large");
}

struct GgufWriter::Impl {
  explicit Impl(const std::filesystem::path& file) : output(file) {}

  AtomicFile output;
  std::vector<std::int64_t> sizes;
  std::size_t current = 0;      // tensor being written
  std::int64_t in_current = 0;  // bytes of it that were written
};

GgufWriter::GgufWriter(const std::filesystem::path& file, const GgufMetadata& metadata,
                       const std::vector<GgufTensorSpec>& tensors)
    : impl_(std::make_unique<Impl>(file)) {
  impl_->output.write(make_head(metadata, tensors, impl_->sizes));
}

GgufWriter::~GgufWriter() = default;

void GgufWriter::append(std::span<const std::byte> bytes) {
  NOLENS_CHECK(impl_->current < impl_->sizes.size());
  const std::int64_t size = impl_->sizes[impl_->current];
  impl_->in_current += static_cast<std::int64_t>(bytes.size());
  NOLENS_CHECK(impl_->in_current <= size);
  impl_->output.write(bytes);
  if (impl_->in_current == size) {
    impl_->output.write(padding(size));
    impl_->in_current = 0;
    ++impl_->current;
  }
}

void GgufWriter::commit() {
  NOLENS_CHECK(impl_->current == impl_->sizes.size());
  impl_->output.commit();
}

}  // namespace nolens
