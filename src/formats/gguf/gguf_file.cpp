// Header, metadata, tensor list, data: in this order, as they stand in the file.
#include "formats/gguf/gguf_file.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "core/checked_math.h"
#include "core/escape.h"
#include "formats/file_kind.h"
#include "formats/gguf/gguf_cursor.h"

namespace nolens {
namespace {

constexpr std::uint64_t kMagicBytes = 4;
// Smallest entries: a key of one byte with a value of one; a name of one byte with one dimension.
constexpr std::uint64_t kMinKeyBytes = 8 + 1 + 4 + 1;
constexpr std::uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;
constexpr std::int64_t kMinAlignment = 8;
constexpr std::int64_t kMaxAlignment = 65'536;

std::string in_quotes(std::string_view text) {
  return "'" + escape_for_message(text) + "'";
}

bool is_printable(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

struct Header {
  std::uint32_t version = 0;
  std::uint64_t tensors = 0;
  std::uint64_t keys = 0;
};

void check_magic(GgufCursor& cursor) {
  const auto* text = reinterpret_cast<const char*>(cursor.here());
  const std::string_view head(text, std::min<std::uint64_t>(cursor.remaining(), 16));
  if (const std::string_view impostor = known_impostor(head); !impostor.empty()) {
    cursor.fail(std::string(impostor));
  }
  if (!head.starts_with("GGUF")) {
    cursor.fail(head.starts_with("FUGG")
                    ? "this is a byte-swapped GGUF file; get the little-endian one"
                    : "the file begins with " + in_quotes(head.substr(0, kMagicBytes)) +
                          ", expected 'GGUF'; this is no GGUF file");
  }
  cursor.take(kMagicBytes, "the magic");
}

Header read_header(GgufCursor& cursor) {
  check_magic(cursor);
  Header header;
  header.version = cursor.read<std::uint32_t>("the version");
  if (header.version == 1) {
    cursor.fail("GGUF version 1 is not supported; convert the model anew, which makes version 3");
  }
  if (header.version != 0 && (header.version & 0xFFFFU) == 0) {
    cursor.fail("this is a big-endian GGUF file; only little-endian files are supported");
  }
  if (header.version != 2 && header.version != 3) {
    cursor.fail("GGUF version " + std::to_string(header.version) +
                " is not known; supported are 2 and 3");
  }
  header.tensors = cursor.read<std::uint64_t>("the number of tensors");
  header.keys = cursor.read<std::uint64_t>("the number of keys");
  const auto check = [&](std::uint64_t count, std::uint64_t limit, std::uint64_t entry,
                         const char* what) {
    if (count > limit || count > cursor.remaining() / entry) {
      cursor.fail("claims " + std::to_string(count) + " " + what + ", but " +
                  std::to_string(cursor.remaining()) + " bytes follow, and at most " +
                  std::to_string(limit) + " are accepted");
    }
  };
  check(header.keys, kMaxGgufKeys, kMinKeyBytes, "metadata keys");
  check(header.tensors, kMaxGgufTensors, kMinTensorBytes, "tensors");
  return header;
}

GgufType read_type(GgufCursor& cursor, const std::string& what) {
  const auto id = cursor.read<std::uint32_t>(what);
  if (id > static_cast<std::uint32_t>(GgufType::kF64)) {
    cursor.fail(what + " is " + std::to_string(id) + ", which is no type of the format (0 to 12)");
  }
  return static_cast<GgufType>(id);
}

/// Steps over `count` elements and proves that they are there.
void check_elements(GgufCursor& cursor, GgufType type, std::uint64_t count,
                    const std::string& what) {
  if (type == GgufType::kString) {
    for (std::uint64_t i = 0; i < count; ++i) {
      cursor.read_text(what, kMaxGgufStringBytes);
    }
    return;
  }
  const std::byte* data = cursor.take(count * gguf_scalar_bytes(type), what);
  if (type == GgufType::kBool) {
    const auto* bad =
        std::find_if(data, data + count, [](std::byte b) { return b > std::byte{1}; });
    if (bad != data + count) {
      cursor.fail(what + " is the bool " + std::to_string(std::to_integer<int>(*bad)) +
                  ", expected 0 or 1");
    }
  }
}

GgufValue read_value(GgufCursor& cursor, std::string_view key) {
  const std::string what = "key " + in_quotes(key) + ": its value";
  GgufType type = read_type(cursor, "key " + in_quotes(key) + ": its type");
  const bool is_array = type == GgufType::kArray;
  std::uint64_t count = 1;
  if (is_array) {
    type = read_type(cursor, "key " + in_quotes(key) + ": its element type");
    if (type == GgufType::kArray) {
      cursor.fail("key " + in_quotes(key) + " is an array of arrays, which is not supported");
    }
    count = cursor.read<std::uint64_t>(what);
    const std::uint64_t bytes = type == GgufType::kString ? 8 : gguf_scalar_bytes(type);
    if (count > kMaxGgufArrayItems || count > cursor.remaining() / bytes) {
      cursor.fail("key " + in_quotes(key) + " is an array of " + std::to_string(count) +
                  " items, but " + std::to_string(cursor.remaining()) +
                  " bytes follow, and at most " + std::to_string(kMaxGgufArrayItems) +
                  " items are accepted");
    }
  }
  const std::byte* data = cursor.here();
  check_elements(cursor, type, count, what);
  return {type, is_array, static_cast<std::int64_t>(count), data};
}

std::string_view read_key(GgufCursor& cursor) {
  const std::string_view key = cursor.read_text("a metadata key", kMaxGgufKeyBytes);
  if (key.empty() || !is_printable(key)) {
    cursor.fail("metadata key " + in_quotes(key) + " must be printable ASCII and not empty");
  }
  return key;
}

std::int64_t read_alignment(const GgufCursor& cursor, const GgufValue* value) {
  if (value == nullptr) {
    return kDefaultGgufAlignment;
  }
  const std::int64_t alignment = value->integer().value_or(0);
  if (value->is_array() || value->element_type() != GgufType::kU32 || alignment < kMinAlignment ||
      alignment > kMaxAlignment || (alignment & (alignment - 1)) != 0) {
    cursor.fail("general.alignment is " +
                (value->integer() ? std::to_string(alignment) + ", a " : std::string("a ")) +
                value->describe() + "; expected a u32 that is a power of two from 8 to 65536");
  }
  return alignment;
}

/// \return the tensor with `begin` relative to the data section
GgufTensor read_tensor(GgufCursor& cursor) {
  GgufTensor tensor;
  tensor.name = cursor.read_text("a tensor name", kMaxGgufTensorNameBytes);
  const std::string what = "tensor " + in_quotes(tensor.name);
  if (tensor.name.empty() || !is_printable(tensor.name) ||
      tensor.name.find_first_of("/\\") != std::string_view::npos) {
    cursor.fail(what + ": a name must be printable ASCII without '/', and not empty");
  }
  const auto dims = cursor.read<std::uint32_t>(what);
  if (dims < 1 || dims > kMaxGgufDims) {
    cursor.fail(what + " has " + std::to_string(dims) + " dimensions, expected 1 to 4");
  }
  for (std::uint32_t i = 0; i < dims; ++i) {
    tensor.shape.push_back(cursor.read<std::int64_t>(what));
    if (tensor.shape.back() < 1) {
      cursor.fail(what + ": dimension " + std::to_string(i) + " is " +
                  std::to_string(tensor.shape.back()) + ", expected at least 1");
    }
  }
  const auto type_id = cursor.read<std::uint32_t>(what);
  tensor.type = find_ggml_type(type_id);
  if (tensor.type == nullptr) {
    cursor.fail(what + " has the type " + std::to_string(type_id) +
                ", which is unknown or no longer part of the format; supported types: " +
                supported_ggml_types());
  }
  if (tensor.shape[0] % tensor.type->values != 0) {
    cursor.fail(what + ": its rows have " + std::to_string(tensor.shape[0]) +
                " values, which is no multiple of the " + std::to_string(tensor.type->values) +
                " that a block of " + std::string(tensor.type->name) + " holds");
  }
  std::optional<std::int64_t> units = tensor.shape[0] / tensor.type->values;
  for (std::size_t i = 1; i < tensor.shape.size(); ++i) {
    units = units ? checked_mul(*units, tensor.shape[i]) : std::nullopt;
  }
  const auto bytes = units ? checked_mul(*units, tensor.type->bytes) : std::nullopt;
  const auto values = units ? checked_mul(*units, tensor.type->values) : std::nullopt;
  if (!bytes || !values) {
    cursor.fail(what + ": its shape does not fit in 63 bits");
  }
  tensor.bytes = *bytes;
  std::reverse(tensor.shape.begin(), tensor.shape.end());
  tensor.begin = cursor.read<std::int64_t>(what);
  return tensor;
}

/// Proves that every tensor lies inside the file and apart from the others, and makes `begin` count
/// from the start of the file.
void place(const GgufCursor& cursor, std::int64_t data_begin, std::int64_t file_bytes,
           std::int64_t alignment, std::vector<GgufTensor>& tensors) {
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const auto& a, const auto& b) { return a.begin < b.begin; });
  const GgufTensor* previous = nullptr;
  for (GgufTensor& tensor : tensors) {
    const std::string what = "tensor " + in_quotes(tensor.name);
    if (tensor.begin < 0 || tensor.begin % alignment != 0) {
      cursor.fail(what + " has the data offset " +
                  std::to_string(static_cast<std::uint64_t>(tensor.begin)) +
                  ", expected a multiple of " + std::to_string(alignment));
    }
    const auto begin = checked_add(data_begin, tensor.begin);
    const auto end = begin ? checked_add(*begin, tensor.bytes) : std::nullopt;
    if (!end || *end > file_bytes) {
      cursor.fail(what + " needs " + std::to_string(tensor.bytes) + " bytes at data offset " +
                  std::to_string(tensor.begin) + ", but the file ends at " +
                  std::to_string(file_bytes) + "; the file is incomplete, download it again");
    }
    if (previous != nullptr && *begin < previous->begin + previous->bytes) {
      cursor.fail(what + " overlaps tensor " + in_quotes(previous->name) + ", which needs " +
                  std::to_string(previous->bytes) + " bytes");
    }
    tensor.begin = *begin;
    previous = &tensor;
  }
}

}  // namespace

GgufFile GgufFile::parse(std::span<const std::byte> file, const std::string& name) {
  GgufFile result;
  result.name_ = name;
  result.bytes_ = file;
  GgufCursor cursor(file, name);
  const Header header = read_header(cursor);
  result.version_ = header.version;
  for (std::uint64_t i = 0; i < header.keys; ++i) {
    const std::string_view key = read_key(cursor);
    result.metadata_.emplace_back(key, read_value(cursor, key));
  }
  auto& metadata = result.metadata_;
  std::stable_sort(metadata.begin(), metadata.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto key_twice =
      std::adjacent_find(metadata.begin(), metadata.end(),
                         [](const auto& a, const auto& b) { return a.first == b.first; });
  if (key_twice != metadata.end()) {
    cursor.fail("metadata key " + in_quotes(key_twice->first) + " stands there twice");
  }
  const std::int64_t alignment = read_alignment(cursor, result.find("general.alignment"));
  for (std::uint64_t i = 0; i < header.tensors; ++i) {
    result.tensors_.push_back(read_tensor(cursor));
  }
  place(cursor, round_up(static_cast<std::int64_t>(cursor.position()), alignment),
        static_cast<std::int64_t>(file.size()), alignment, result.tensors_);
  auto& order = result.by_name_;
  order.resize(result.tensors_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto name_of = [&](std::size_t index) { return result.tensors_[index].name; };
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return name_of(a) < name_of(b); });
  const auto twice =
      std::adjacent_find(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return name_of(a) == name_of(b); });
  if (twice != order.end()) {
    cursor.fail("tensor " + in_quotes(name_of(*twice)) + " stands there twice");
  }
  return result;
}

const GgufValue* GgufFile::find(std::string_view key) const noexcept {
  const auto found =
      std::lower_bound(metadata_.begin(), metadata_.end(), key,
                       [](const auto& entry, std::string_view text) { return entry.first < text; });
  return found != metadata_.end() && found->first == key ? &found->second : nullptr;
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const noexcept {
  const auto found = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [&](std::size_t index, std::string_view text) { return tensors_[index].name < text; });
  return found != by_name_.end() && tensors_[*found].name == name ? &tensors_[*found] : nullptr;
}

}  // namespace nolens
