// The header is read through events, never as a tree, so that a hostile one costs little memory.
#include "formats/safetensors.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "core/checked_math.h"
#include "core/escape.h"
#include "formats/file_kind.h"
#include "formats/json.h"

namespace nolens {
namespace {

constexpr std::int64_t kPrefixBytes = 8;
constexpr std::size_t kMaxMetadataEntries = 10'000;

struct KnownDType {
  std::string_view name;
  std::int64_t bits;
  std::optional<DType> usable;
};
constexpr std::array<KnownDType, 16> kDTypes{{
    {"F32", 32, DType::kF32},
    {"F16", 16, DType::kF16},
    {"BF16", 16, DType::kBf16},
    {"F64", 64, std::nullopt},
    {"I64", 64, std::nullopt},
    {"I32", 32, std::nullopt},
    {"I16", 16, std::nullopt},
    {"I8", 8, std::nullopt},
    {"U64", 64, std::nullopt},
    {"U32", 32, std::nullopt},
    {"U16", 16, std::nullopt},
    {"U8", 8, std::nullopt},
    {"BOOL", 8, std::nullopt},
    {"F8_E4M3", 8, std::nullopt},
    {"F8_E5M2", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt},
}};

const KnownDType* find_dtype(std::string_view name) noexcept {
  const auto* found = std::find_if(kDTypes.begin(), kDTypes.end(),
                                   [&](const KnownDType& dtype) { return dtype.name == name; });
  return found == kDTypes.end() ? nullptr : found;
}

std::string dtype_list() {
  std::string list;
  for (const KnownDType& dtype : kDTypes) {
    list += list.empty() ? "" : ", ";
    list += dtype.name;
  }
  return list;
}

std::string in_quotes(std::string_view name) {
  std::string text(1, '\'');
  text += escape_for_message(name);
  text += '\'';
  return text;
}

bool has_control_bytes(std::string_view name) {
  return std::any_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
}

std::int64_t non_negative_integer(const Json& value, const std::string& where) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number <= static_cast<std::uint64_t>(INT64_MAX)) {
      return static_cast<std::int64_t>(number);
    }
  }
  throw JsonRefusal(where + " must be an integer from 0 to 2^63-1, found " +
                    escape_for_message(value.dump(-1, ' ', true), 40));
}

/// Accepts exactly {"name": {"dtype": …, "shape": […], "data_offsets": […]}, "__metadata__": {…}}.
class HeaderEvents final : public JsonEvents {
 public:
  explicit HeaderEvents(SafetensorsHeader& header) : header_(header) {}

  void begin_object() override {
    switch (state_) {
      case State::kStart: state_ = State::kTop; return;
      case State::kTensorValue: state_ = State::kTensor; return;
      case State::kMetadataValue: state_ = State::kMetadata; return;
      default: refuse();
    }
  }
  void end_object() override {
    if (state_ == State::kTensor) {
      finish_tensor();
    }
    state_ = state_ == State::kTop ? State::kEnd : State::kTop;
  }
  void key(std::string&& name) override {
    switch (state_) {
      case State::kTop: top_key(std::move(name)); return;
      case State::kTensor: tensor_key(name); return;
      default:  // kMetadata
        if (header_.metadata.size() >= kMaxMetadataEntries) {
          throw JsonRefusal("more than " + std::to_string(kMaxMetadataEntries) +
                            " entries in __metadata__");
        }
        metadata_key_ = std::move(name);
    }
  }
  void begin_array() override {
    if (state_ != State::kTensor || field_ == Field::kDtype || in_array_) {
      refuse();
    }
    in_array_ = true;
  }
  void end_array() override { in_array_ = false; }
  void scalar(Json&& value) override {
    if (state_ == State::kMetadata && value.is_string()) {
      const auto [slot, is_new] = header_.metadata.try_emplace(
          std::move(metadata_key_), std::move(value.get_ref<std::string&>()));
      if (!is_new) {
        throw JsonRefusal("duplicate key " + in_quotes(slot->first) + " in __metadata__");
      }
      return;
    }
    if (state_ == State::kMetadata) {
      throw JsonRefusal("__metadata__ entry " + in_quotes(metadata_key_) + " must be a string");
    }
    if (state_ == State::kTensor && field_ == Field::kDtype && value.is_string()) {
      entry_.dtype = value.get<std::string>();
      return;
    }
    if (state_ == State::kTensor && in_array_ && field_ == Field::kShape) {
      if (entry_.shape.size() == kMaxTensorDims) {
        throw JsonRefusal("tensor " + in_quotes(entry_.name) + " has more than " +
                          std::to_string(kMaxTensorDims) + " dimensions");
      }
      entry_.shape.push_back(
          non_negative_integer(value, "tensor " + in_quotes(entry_.name) + ": shape"));
      return;
    }
    if (state_ == State::kTensor && in_array_ && field_ == Field::kOffsets) {
      if (offsets_ == 2) {
        refuse();
      }
      (offsets_ == 0 ? entry_.begin : entry_.end) =
          non_negative_integer(value, "tensor " + in_quotes(entry_.name) + ": data_offsets");
      ++offsets_;
      return;
    }
    refuse();
  }

 private:
  enum class State { kStart, kTop, kTensorValue, kTensor, kMetadataValue, kMetadata, kEnd };
  enum class Field { kDtype, kShape, kOffsets };

  [[noreturn]] void refuse() const {
    if (state_ == State::kStart) {
      throw JsonRefusal("the header must be a JSON object");
    }
    if (state_ == State::kMetadataValue || state_ == State::kMetadata) {
      throw JsonRefusal("__metadata__ must be an object of strings");
    }
    throw JsonRefusal("tensor " + in_quotes(entry_.name) +
                      " must be {\"dtype\": string, \"shape\": [integers], \"data_offsets\": "
                      "[begin, end]}");
  }
  void top_key(std::string&& name) {
    if (name == "__metadata__") {
      if (std::exchange(has_metadata_, true)) {
        throw JsonRefusal("duplicate key '__metadata__'");
      }
      state_ = State::kMetadataValue;
      return;
    }
    if (header_.tensors.size() >= kMaxSafetensorsTensors) {
      throw JsonRefusal("more than " + std::to_string(kMaxSafetensorsTensors) + " tensors");
    }
    if (name.empty() || name.size() > kMaxTensorNameBytes || has_control_bytes(name)) {
      throw JsonRefusal("tensor name " + in_quotes(name) + " must have 1 to " +
                        std::to_string(kMaxTensorNameBytes) + " bytes and no control characters");
    }
    if (!names_.insert(name).second) {
      throw JsonRefusal("duplicate tensor " + in_quotes(name));
    }
    entry_ = {};
    entry_.name = std::move(name);
    has_field_ = {};
    offsets_ = 0;
    state_ = State::kTensorValue;
  }
  void tensor_key(const std::string& name) {
    if (name == "dtype") {
      field_ = Field::kDtype;
    } else if (name == "shape") {
      field_ = Field::kShape;
    } else if (name == "data_offsets") {
      field_ = Field::kOffsets;
    } else {
      throw JsonRefusal("tensor " + in_quotes(entry_.name) + " has an unknown field " +
                        in_quotes(name));
    }
    if (std::exchange(has_field_[static_cast<std::size_t>(field_)], true)) {
      throw JsonRefusal("tensor " + in_quotes(entry_.name) + " has " + in_quotes(name) + " twice");
    }
  }
  void finish_tensor() {
    if (!has_field_[0] || !has_field_[1] || !has_field_[2] || offsets_ != 2) {
      refuse();
    }
    const KnownDType* dtype = find_dtype(entry_.dtype);
    if (dtype == nullptr) {
      throw JsonRefusal("tensor " + in_quotes(entry_.name) + " has the unknown dtype " +
                        in_quotes(entry_.dtype) + "; known: " + dtype_list());
    }
    entry_.usable = dtype->usable;
    std::optional<std::int64_t> bytes = dtype->bits / 8;
    for (const std::int64_t size : entry_.shape) {
      bytes = bytes ? checked_mul(*bytes, size) : std::nullopt;
    }
    if (!bytes) {
      throw JsonRefusal("tensor " + in_quotes(entry_.name) + ": its shape does not fit in 63 bits");
    }
    if (entry_.end < entry_.begin || entry_.end - entry_.begin != *bytes) {
      throw JsonRefusal("tensor " + in_quotes(entry_.name) + ": dtype " + entry_.dtype +
                        " and shape need " + std::to_string(*bytes) + " bytes, but data_offsets " +
                        "are [" + std::to_string(entry_.begin) + ", " + std::to_string(entry_.end) +
                        "]");
    }
    header_.tensors.push_back(std::move(entry_));
  }

  SafetensorsHeader& header_;
  State state_ = State::kStart;
  Field field_ = Field::kDtype;
  SafetensorsEntry entry_;
  std::array<bool, 3> has_field_{};
  int offsets_ = 0;
  bool in_array_ = false;
  bool has_metadata_ = false;
  std::string metadata_key_;
  std::unordered_set<std::string> names_;
};

std::int64_t read_header_length(std::span<const std::byte> file, const std::string& name) {
  const auto size = static_cast<std::int64_t>(file.size());
  if (size < kPrefixBytes) {
    throw Error(ErrorCode::kModel, name + ": the file has " + std::to_string(size) +
                                       " bytes, at least 8 are needed; download it again");
  }
  const auto* text = reinterpret_cast<const char*>(file.data());
  const std::string_view head(text, static_cast<std::size_t>(std::min<std::int64_t>(size, 16)));
  const std::string_view impostor = head.starts_with("GGUF")
                                        ? "this is a GGUF file, not safetensors"
                                        : known_impostor(head);
  if (!impostor.empty()) {
    throw Error(ErrorCode::kModel, name + ": " + std::string(impostor));
  }
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kPrefixBytes; ++i) {
    length |= static_cast<std::uint64_t>(file[i]) << (8 * i);
  }
  if (length > static_cast<std::uint64_t>(kMaxSafetensorsHeaderBytes)) {
    throw Error(ErrorCode::kModel, name + ": the header claims " + std::to_string(length) +
                                       " bytes, at most " +
                                       std::to_string(kMaxSafetensorsHeaderBytes) +
                                       " are accepted; this is no safetensors file");
  }
  if (static_cast<std::int64_t>(length) > size - kPrefixBytes) {
    throw Error(ErrorCode::kModel, name + ": the header needs " + std::to_string(length) +
                                       " bytes, but only " + std::to_string(size - kPrefixBytes) +
                                       " follow; the file is incomplete, download it again");
  }
  return static_cast<std::int64_t>(length);
}

/// Sorts by position and proves that the tensors tile the data section exactly.
void check_tiling(SafetensorsHeader& header, std::int64_t data_bytes, const std::string& name) {
  auto& tensors = header.tensors;
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::int64_t position = 0;
  const SafetensorsEntry* previous = nullptr;
  for (const SafetensorsEntry& tensor : tensors) {
    if (tensor.begin != position) {
      throw Error(ErrorCode::kModel,
                  name + ": tensor " + in_quotes(tensor.name) + " begins at data byte " +
                      std::to_string(tensor.begin) + ", expected " + std::to_string(position) +
                      (previous == nullptr ? ", the start of the data"
                                           : ", where " + in_quotes(previous->name) + " ends") +
                      (tensor.begin < position ? "; they overlap" : "; there is a gap"));
    }
    if (tensor.end > data_bytes) {
      throw Error(ErrorCode::kModel, name + ": tensor " + in_quotes(tensor.name) +
                                         " needs data bytes " + std::to_string(tensor.begin) +
                                         " to " + std::to_string(tensor.end) +
                                         ", but the file has only " + std::to_string(data_bytes) +
                                         "; the file is incomplete, download it again");
    }
    position = tensor.end;
    previous = &tensor;
  }
  if (position != data_bytes) {
    throw Error(ErrorCode::kModel, name + ": " + std::to_string(data_bytes - position) +
                                       " bytes follow the last tensor; nothing may");
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file,
                                           const std::string& name) {
  const std::int64_t length = read_header_length(file, name);
  const std::string_view json(reinterpret_cast<const char*>(file.data()) + kPrefixBytes,
                              static_cast<std::size_t>(length));
  if (!json.starts_with('{')) {
    throw Error(ErrorCode::kModel,
                name + ": the header must begin with '{'; this is no safetensors file");
  }
  SafetensorsHeader header;
  HeaderEvents events(header);
  JsonLimits limits;
  limits.max_bytes = static_cast<std::size_t>(kMaxSafetensorsHeaderBytes);
  parse_json_events(json, name + " (header)", ErrorCode::kModel, limits, events);
  const std::int64_t data_begin = kPrefixBytes + length;
  check_tiling(header, static_cast<std::int64_t>(file.size()) - data_begin, name);
  for (SafetensorsEntry& tensor : header.tensors) {
    tensor.begin += data_begin;
    tensor.end += data_begin;
  }
  return header;
}

}  // namespace nolens
