#include "formats/gguf/gguf_fields.h"

#include <limits>

#include "nolens/error.h"

namespace nolens {
namespace {

constexpr std::int64_t kMaxIds = 100'000;

}  // namespace

void GgufFields::fail(std::string_view key, const std::string& what) const {
  throw Error(ErrorCode::kModel,
              file_.name() + ": key '" + prefix_ + std::string(key) + "' " + what);
}

void GgufFields::fail_missing(std::string_view key) const {
  fail(key, "is missing; the file was made by a tool that does not know this architecture");
}

std::int64_t GgufFields::checked(std::string_view key, std::int64_t value, std::int64_t min,
                                 std::int64_t max) const {
  if (value < min || value > max) {
    fail(key, "is " + std::to_string(value) + ", expected " + std::to_string(min) + " to " +
                  std::to_string(max));
  }
  return value;
}

std::optional<std::int64_t> GgufFields::integer(std::string_view key, std::int64_t min,
                                                std::int64_t max) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  const auto number = value->integer();
  if (!number) {
    fail(key, "is a " + value->describe() + ", expected an integer from " + std::to_string(min) +
                  " to " + std::to_string(max));
  }
  return checked(key, *number, min, max);
}

std::optional<double> GgufFields::real(std::string_view key, double min, double max) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  const auto number = value->real();
  if (!number) {
    fail(key, "is a " + value->describe() + ", expected a number");
  }
  // Written so that NaN fails too.
  if (!(*number >= min && *number <= max)) {
    fail(key, "is " + std::to_string(*number) + ", expected " + std::to_string(min) + " to " +
                  std::to_string(max));
  }
  return number;
}

std::optional<bool> GgufFields::boolean(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->boolean()) {
    fail(key, "is a " + value->describe() + ", expected a bool");
  }
  return value->boolean();
}

std::optional<std::string_view> GgufFields::text(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->text()) {
    fail(key, "is a " + value->describe() + ", expected a string");
  }
  return value->text();
}

std::optional<std::vector<std::int64_t>> GgufFields::per_layer(std::string_view key,
                                                               std::int64_t count, std::int64_t min,
                                                               std::int64_t max) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->is_array()) {
    return std::vector<std::int64_t>(static_cast<std::size_t>(count), *integer(key, min, max));
  }
  if (value->count() != count) {
    fail(key, "is an " + value->describe() + ", expected one for each of " + std::to_string(count) +
                  " layers (block_count)");
  }
  auto values = value->integers();
  if (!values) {
    fail(key, "is an " + value->describe() + ", expected integers");
  }
  for (const std::int64_t entry : *values) {
    static_cast<void>(checked(key, entry, min, max));
  }
  return values;
}

std::vector<TokenId> GgufFields::ids(std::string_view key, std::int64_t vocab_size) const {
  const GgufValue* value = find(key);
  std::vector<TokenId> ids;
  if (value == nullptr) {
    return ids;
  }
  if (!value->is_array()) {
    ids.push_back(static_cast<TokenId>(*integer(key, 0, vocab_size - 1)));
    return ids;
  }
  const auto entries =
      value->count() <= kMaxIds ? value->integers() : std::optional<std::vector<std::int64_t>>();
  if (!entries) {
    fail(key, "is an " + value->describe() + ", expected at most " + std::to_string(kMaxIds) +
                  " token ids");
  }
  for (const std::int64_t id : *entries) {
    ids.push_back(static_cast<TokenId>(checked(key, id, 0, vocab_size - 1)));
  }
  return ids;
}

}  // namespace nolens
