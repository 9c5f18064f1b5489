// Opens the parts of a model and checks that they belong together.
#include "formats/gguf/gguf_set.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "core/escape.h"
#include "formats/gguf/gguf_names.h"
#include "platform/quoted_path.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxParts = 1000;
constexpr std::string_view kExtension = ".gguf";
constexpr std::size_t kDigits = 5;

/// NAME-00002-of-00003.gguf
struct PartName {
  std::string stem;
  std::int64_t number = 0;  ///< from 1
  std::int64_t count = 0;
};

std::optional<std::int64_t> parse_digits(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.size() != kDigits) {
    return std::nullopt;
  }
  return value;
}

std::optional<PartName> parse_part_name(std::string_view name) {
  constexpr std::string_view kOf = "-of-";
  constexpr std::size_t kTail = 1 + kDigits + kOf.size() + kDigits + kExtension.size();
  if (name.size() <= kTail || !name.ends_with(kExtension)) {
    return std::nullopt;
  }
  const std::string_view tail = name.substr(name.size() - kTail);
  const auto number = parse_digits(tail.substr(1, kDigits));
  const auto count = parse_digits(tail.substr(1 + kDigits + kOf.size(), kDigits));
  if (tail.front() != '-' || tail.substr(1 + kDigits, kOf.size()) != kOf || !number || !count) {
    return std::nullopt;
  }
  return PartName{std::string(name.substr(0, name.size() - kTail)), *number, *count};
}

std::string five_digits(std::int64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(digits.size() < kDigits ? kDigits - digits.size() : 0, '0') + digits;
}

/// An integer key, `absent` if it is not there.
std::int64_t read_integer(const GgufFile& file, std::string_view key, std::int64_t absent) {
  const GgufValue* value = file.find(key);
  if (value == nullptr) {
    return absent;
  }
  const auto number = value->integer();
  if (!number) {
    throw Error(ErrorCode::kModel, file.name() + ": key '" + std::string(key) + "' is a " +
                                       value->describe() + ", expected an integer");
  }
  return *number;
}

}  // namespace

bool is_later_gguf_part(std::string_view file_name) {
  const auto part = parse_part_name(file_name);
  return part && part->number != 1;
}

void GgufSet::add(const fs::path& path) {
  Part part;
  part.mapped = MappedFile(path, ErrorCode::kModel);
  part.file = GgufFile::parse(part.mapped.bytes(), escape_for_message(path.filename().native()));
  parts_.push_back(std::move(part));
}

GgufSet GgufSet::open(const fs::path& path) {
  GgufSet set;
  set.add(path);
  const std::int64_t count = read_integer(set.first(), "split.count", 1);
  const auto name = parse_part_name(path.filename().native());
  if (count == 1) {
    return set;
  }
  if (!name || name->count != count || count < 1 || count > kMaxParts) {
    throw Error(ErrorCode::kModel,
                set.first().name() + ": says that it is one of " + std::to_string(count) +
                    " parts (split.count), which does not fit its name; parts are named "
                    "NAME-00001-of-0000N.gguf, and there are at most " +
                    std::to_string(kMaxParts));
  }
  if (name->number != 1) {
    throw Error(ErrorCode::kModel,
                set.first().name() + ": is part " + std::to_string(name->number) + " of " +
                    std::to_string(count) + "; name the first one, '" +
                    escape_for_message(name->stem) + "-00001-of-" + five_digits(count) + ".gguf'");
  }
  for (std::int64_t i = 2; i <= count; ++i) {
    const fs::path next = path.parent_path() / (name->stem + "-" + five_digits(i) + "-of-" +
                                                five_digits(count) + std::string(kExtension));
    std::error_code error;
    if (!fs::exists(next, error)) {
      throw Error(ErrorCode::kModel, set.first().name() + ": part " + quoted_path(next.filename()) +
                                         " is missing; download it into the same folder");
    }
    set.add(next);
  }
  set.check_split();
  return set;
}

GgufSet GgufSet::from_bytes(std::span<const std::byte> bytes, const std::string& name) {
  GgufSet set;
  set.parts_.push_back({MappedFile(), GgufFile::parse(bytes, name)});
  return set;
}

GgufSet GgufSet::from_metadata(std::span<const std::byte> bytes, const std::string& name,
                               const std::vector<GgufTensorSpec>& tensors) {
  GgufSet set = from_bytes(bytes, name);
  auto names = std::make_shared<std::vector<std::string>>();
  for (const GgufTensorSpec& tensor : tensors) {
    names->push_back(tensor.name);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    set.elsewhere_.push_back({(*names)[i], &ggml_type_of(tensors[i].dtype), tensors[i].shape});
  }
  set.elsewhere_names_ = std::move(names);
  return set;
}

void GgufSet::check_split() const {
  std::int64_t total = 0;
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const GgufFile& file = parts_[i].file;
    const std::int64_t number = read_integer(file, "split.no", -1);
    const std::int64_t count = read_integer(file, "split.count", -1);
    if (number != static_cast<std::int64_t>(i) ||
        count != static_cast<std::int64_t>(parts_.size())) {
      throw Error(ErrorCode::kModel, file.name() + ": split.no and split.count are " +
                                         std::to_string(number) + " and " + std::to_string(count) +
                                         ", expected " + std::to_string(i) + " and " +
                                         std::to_string(parts_.size()) +
                                         "; the parts belong to different models");
    }
    for (const GgufTensor& tensor : file.tensors()) {
      if (!names.insert(tensor.name).second) {
        throw Error(ErrorCode::kModel, file.name() + ": tensor '" + std::string(tensor.name) +
                                           "' is in another part too; the parts belong to "
                                           "different models");
      }
    }
    total += static_cast<std::int64_t>(file.tensors().size());
  }
  const std::int64_t expected = read_integer(first(), "split.tensors.count", total);
  if (total != expected) {
    throw Error(ErrorCode::kModel, first().name() + ": its parts hold " + std::to_string(total) +
                                       " tensors, expected " + std::to_string(expected) +
                                       " (split.tensors.count); the parts belong to different "
                                       "models");
  }
}

const GgufTensor* GgufSet::find_tensor(std::string_view name) const noexcept {
  for (const Part& part : parts_) {
    if (const GgufTensor* found = part.file.find_tensor(name); found != nullptr) {
      return found;
    }
  }
  const auto found =
      std::find_if(elsewhere_.begin(), elsewhere_.end(),
                   [&](const GgufTensor& tensor) { return tensor.name == name; });
  return found != elsewhere_.end() ? &*found : nullptr;
}

std::vector<float> GgufSet::find_floats(std::string_view name) const {
  for (const Part& part : parts_) {
    const GgufTensor* tensor = part.file.find_tensor(name);
    if (tensor != nullptr && tensor->type->dtype == DType::kF32) {
      std::vector<float> values(static_cast<std::size_t>(tensor->bytes) / sizeof(float));
      std::memcpy(values.data(), part.file.bytes().data() + tensor->begin,
                  values.size() * sizeof(float));
      return values;
    }
  }
  return {};
}

TensorStore gguf_tensor_store(std::vector<std::shared_ptr<const GgufSet>> sets) {
  std::vector<TensorView> views;
  std::vector<IgnoredTensor> ignored;
  for (const auto& set : sets) {
    for (std::size_t i = 0; i < set->size(); ++i) {
      const GgufFile& file = set->part(i);
      for (const GgufTensor& tensor : file.tensors()) {
        std::string name = hugging_face_name(tensor.name);
        if (tensor.name == kRopeFreqs) {
          continue;
        }
        if (!tensor.type->dtype && !name.empty()) {
          throw Error(ErrorCode::kModel,
                      file.name() + ": tensor '" + std::string(tensor.name) + "' is " +
                          std::string(tensor.type->name) + ", which is not supported; supported: " +
                          supported_ggml_types() + "; download a file of one of these types");
        }
        if (name.empty()) {
          name = tensor.name;
        }
        if (!tensor.type->dtype) {
          ignored.push_back({std::move(name), std::string(tensor.type->name), file.name()});
          continue;
        }
        views.push_back({std::move(name), *tensor.type->dtype, tensor.shape,
                         file.bytes().data() + tensor.begin, tensor.bytes, file.name()});
      }
    }
  }
  auto owner = std::make_shared<const std::vector<std::shared_ptr<const GgufSet>>>(std::move(sets));
  return TensorStore::from_views(std::move(views), std::move(ignored), std::move(owner));
}

}  // namespace nolens
