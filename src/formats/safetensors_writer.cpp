// Header first, then the data of each tensor in the order of the specs.
#include "formats/safetensors_writer.h"

#include <system_error>
#include <utility>

#include "core/check.h"
#include "core/checked_math.h"
#include "core/escape.h"
#include "formats/json.h"
#include "formats/safetensors.h"
#include "platform/atomic_file.h"

namespace nolens {
namespace {

// The reference writer pads the header so that the data begins on a multiple of 8; 64 lets a mapped
// file be read with full cache lines.
constexpr std::size_t kDataAlignment = 64;
constexpr std::size_t kPrefixBytes = 8;

std::int64_t bytes_of(const TensorSpec& spec) {
  if (!is_plain(spec.dtype)) {
    throw Error(ErrorCode::kUsage, "tensor '" + escape_for_message(spec.name) +
                                       "': safetensors has no " +
                                       std::string(dtype_name(spec.dtype)) +
                                       "; use F32, F16 or BF16");
  }
  std::optional<std::int64_t> bytes = row_bytes(spec.dtype, 1);
  for (const std::int64_t size : spec.shape) {
    bytes = bytes ? checked_mul(*bytes, size) : std::nullopt;
  }
  if (!bytes) {
    throw Error(ErrorCode::kUsage, "tensor '" + escape_for_message(spec.name) +
                                       "': a size is negative or the product does not fit");
  }
  return *bytes;
}

struct Layout {
  std::string head;  // length prefix and padded JSON
  std::int64_t data_bytes = 0;
};

Layout make_layout(const std::vector<TensorSpec>& specs,
                   const std::map<std::string, std::string>& metadata) {
  Layout layout;
  Json header = Json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  for (const TensorSpec& spec : specs) {
    const auto end = checked_add(layout.data_bytes, bytes_of(spec));
    if (spec.name.empty() || spec.name.size() > kMaxTensorNameBytes ||
        spec.shape.size() > kMaxTensorDims || header.contains(spec.name) || !end) {
      throw Error(ErrorCode::kUsage, "tensor '" + escape_for_message(spec.name) +
                                         "': needs a unique name and at most 8 dimensions");
    }
    header[spec.name] = {{"dtype", dtype_name(spec.dtype)},
                         {"shape", spec.shape},
                         {"data_offsets", {layout.data_bytes, *end}}};
    layout.data_bytes = *end;
  }
  std::string json = header.dump();
  json.resize(json.size() +
                  (kDataAlignment - (kPrefixBytes + json.size()) % kDataAlignment) % kDataAlignment,
              ' ');
  for (std::size_t i = 0; i < kPrefixBytes; ++i) {
    layout.head += static_cast<char>((json.size() >> (8 * i)) & 0xFFU);
  }
  layout.head += json;
  return layout;
}

}  // namespace

void check_free_space(const std::filesystem::path& file, std::int64_t needed) {
  std::error_code error;
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  const auto space = std::filesystem::space(folder, error);
  if (!error && space.available < static_cast<std::uintmax_t>(needed)) {
    throw Error(ErrorCode::kResource, "writing '" + escape_for_message(file.native()) + "' needs " +
                                          std::to_string(needed) + " bytes, but only " +
                                          std::to_string(space.available) +
                                          " are free there; free some space");
  }
}

struct SafetensorsWriter::Impl {
  Impl(const std::filesystem::path& file, Layout layout)
      : output(file), expected_bytes(layout.data_bytes) {
    check_free_space(file, static_cast<std::int64_t>(layout.head.size()) + layout.data_bytes);
    output.write(layout.head);
  }

  AtomicFile output;
  std::int64_t expected_bytes;
  std::int64_t appended_bytes = 0;
};

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& file,
                                     std::vector<TensorSpec> specs,
                                     const std::map<std::string, std::string>& metadata)
    : impl_(std::make_unique<Impl>(file, make_layout(specs, metadata))) {}

SafetensorsWriter::~SafetensorsWriter() = default;

void SafetensorsWriter::append(std::span<const std::byte> bytes) {
  impl_->appended_bytes += static_cast<std::int64_t>(bytes.size());
  NOLENS_CHECK(impl_->appended_bytes <= impl_->expected_bytes);
  impl_->output.write(bytes);
}

void SafetensorsWriter::commit() {
  NOLENS_CHECK(impl_->appended_bytes == impl_->expected_bytes);
  impl_->output.commit();
}

}  // namespace nolens
