// Reads the recording; nothing in it is trusted.
#include "conform/reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <system_error>

#include "core/float16.h"
#include "formats/json_fields.h"
#include "platform/list_folder.h"
#include "platform/mapped_file.h"
#include "platform/quoted_path.h"

namespace nolens {
namespace {

constexpr const char* kFormat = "nolens-reference-1";
constexpr MaskRule kRules[] = {MaskRule::kCanonical, MaskRule::kLegacy, MaskRule::kCausal};

/// The readers of model files blame the model; here the same faults are the recording's.
template <typename Read>
auto blaming_the_input(const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kModel) {
      throw Error(ErrorCode::kInput, error.what());
    }
    throw;
  }
}

std::vector<TokenId> token_ids(const JsonFields& fields, std::string_view key) {
  std::vector<TokenId> ids;
  const auto values = fields.integers(key);
  for (const std::int64_t id : values.value_or(std::vector<std::int64_t>{})) {
    if (id < 0 || id > std::numeric_limits<TokenId>::max()) {
      fields.fail(key, "element " + std::to_string(ids.size()) + " is no token id");
    }
    ids.push_back(static_cast<TokenId>(id));
  }
  return ids;
}

std::vector<double> numbers(const JsonFields& fields, std::string_view key) {
  std::vector<double> result;
  const Json* list = fields.find(key);
  if (list == nullptr) {
    return result;
  }
  if (!list->is_array()) {
    fields.fail_value(key, "a list of numbers");
  }
  for (const Json& value : *list) {
    if (!value.is_number()) {
      fields.fail(key, "element " + std::to_string(result.size()) + " is no number");
    }
    result.push_back(value.get<double>());
  }
  return result;
}

SourceDtype dtype_of(const JsonFields& fields) {
  const std::string text = fields.text("dtype").value_or("float32");
  if (text == "float32") {
    return SourceDtype::kFloat32;
  }
  if (text == "bfloat16") {
    return SourceDtype::kBfloat16;
  }
  if (text == "float16") {
    return SourceDtype::kFloat16;
  }
  fields.fail_value("dtype", "float32, bfloat16 or float16");
}

/// "transformers 5.18.0, torch 2.9.1"
std::string made_with(const JsonFields& fields) {
  std::string result;
  if (const auto versions = fields.object("versions")) {
    for (const char* name : {"transformers", "torch"}) {
      if (const auto version = versions->text(name)) {
        result += (result.empty() ? "" : ", ") + std::string(name) + " " +
                  escape_for_message(*version, 40);
      }
    }
  }
  return result;
}

std::vector<ReferenceImage> images_of(const JsonFields& fields, const std::string& document) {
  std::vector<ReferenceImage> images;
  const Json* list = fields.find("images");
  if (list == nullptr) {
    return images;
  }
  if (!list->is_array()) {
    fields.fail_value("images", "a list of objects");
  }
  for (const Json& entry : *list) {
    const JsonFields image(entry, document, "images[" + std::to_string(images.size()) + "]");
    images.push_back({.used_width = image.integer("used_width"),
                      .used_height = image.integer("used_height"),
                      .resized = image.text("resized").value_or(""),
                      .resized_fnv1a64 = image.text("resized_fnv1a64").value_or(""),
                      .patches_fnv1a64 = image.text("patches_fnv1a64").value_or("")});
  }
  return images;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

}  // namespace

const char* mask_rule_name(MaskRule rule) noexcept {
  switch (rule) {
    case MaskRule::kLegacy: return "legacy";
    case MaskRule::kCausal: return "causal";
    case MaskRule::kCanonical: break;
  }
  return "canonical";
}

void ReferenceTensor::read_row(std::int64_t row, std::span<float> values) const {
  const std::int64_t bytes = row_bytes(view_->dtype, cols_);
  const std::byte* data = view_->data + row * bytes;
  if (view_->dtype == DType::kF32) {
    std::memcpy(values.data(), data, static_cast<std::size_t>(bytes));
  } else {
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, data + 2 * i, 2);
      values[i] = view_->dtype == DType::kBf16 ? to_float(Bf16{bits}) : to_float(F16{bits});
    }
  }
  if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); })) {
    throw Error(ErrorCode::kInput, "reference " + folder_ + ": tensor '" +
                                       escape_for_message(view_->name) + "', row " +
                                       std::to_string(row) +
                                       ": a value is not finite; record the reference again");
  }
}

Reference::Reference(const std::filesystem::path& directory, std::optional<MaskRule> wanted)
    : folder(directory) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    fail("is no directory; record one with tools/record_reference.py");
  }
  blaming_the_input([&] { read_case(wanted); });
  blaming_the_input([&] { open_tensors(); });
}

void Reference::fail(const std::string& what) const {
  throw Error(ErrorCode::kInput, "reference " + quoted_path(folder) + ": " + what);
}

void Reference::read_case(std::optional<MaskRule> wanted) {
  const std::filesystem::path file = folder / "case.json";
  const std::string document = quoted_path(file);
  Json json = parse_json(read_file(file, JsonLimits{}.max_bytes, ErrorCode::kInput), document,
                         ErrorCode::kInput);
  const JsonFields fields(json, document);
  if (fields.text("format").value_or(kFormat) != kFormat) {
    fields.fail_value("format", std::string(kFormat) + ", which is all this version reads");
  }
  const Json* list = fields.find("messages");
  if (list == nullptr || !list->is_array()) {
    fields.fail("messages", "is missing or no list; expected the messages of the prompt");
  }
  messages = *list;
  if (const auto chat = fields.object("chat")) {
    enable_thinking = chat->boolean("enable_thinking").value_or(enable_thinking);
    add_generation_prompt = chat->boolean("add_generation_prompt").value_or(add_generation_prompt);
  }
  image_tokens = fields.integer("image_tokens").value_or(0);
  if (image_tokens < 0) {
    fields.fail_value("image_tokens", "a budget of soft tokens");
  }
  token_ids = nolens::token_ids(fields, "token_ids");
  if (token_ids.empty()) {
    fields.fail("token_ids", "is missing or empty; expected the ids of the prompt");
  }
  suppressed_ids = nolens::token_ids(fields, "suppressed_ids");
  images = images_of(fields, document);
  dtype = dtype_of(fields);
  row_step = fields.integer("row_step").value_or(1);
  if (row_step < 1) {
    fields.fail_value("row_step", "1 or more");
  }
  made_with = nolens::made_with(fields);
  const auto rules = fields.object("rules");
  if (!rules) {
    fields.fail("rules", "is missing; expected an object with one entry for each mask rule");
  }
  read_rule(*fields.find("rules"), wanted);
}

void Reference::read_rule(const Json& rules, std::optional<MaskRule> wanted) {
  std::string recorded;
  bool found = false;
  for (const MaskRule candidate : kRules) {
    if (!rules.contains(mask_rule_name(candidate))) {
      continue;
    }
    recorded += (recorded.empty() ? "" : ", ") + std::string(mask_rule_name(candidate));
    if (!found && wanted.value_or(candidate) == candidate) {
      mask_rule = candidate;
      found = true;
    }
  }
  if (!found) {
    fail(recorded.empty() ? "case.json: rules: names none of canonical, legacy, causal"
                          : "has nothing for the mask rule " +
                                std::string(mask_rule_name(*wanted)) + "; recorded: " + recorded);
  }
  rule.name = mask_rule_name(mask_rule);
  const JsonFields fields(rules.at(rule.name), quoted_path(folder / "case.json"),
                          "rules." + rule.name);
  rule.greedy_ids = nolens::token_ids(fields, "greedy_ids");
  rule.greedy_margins = numbers(fields, "greedy_margins");
  if (!rule.greedy_margins.empty() && rule.greedy_margins.size() != rule.greedy_ids.size()) {
    fields.fail("greedy_margins",
                "has " + std::to_string(rule.greedy_margins.size()) + " elements, expected " +
                    std::to_string(rule.greedy_ids.size()) + ", one for each of greedy_ids");
  }
}

void Reference::open_tensors() {
  std::vector<std::filesystem::path> files;
  int error = 0;
  for (const std::string& name : list_folder(folder, error)) {
    if (name == "expected.safetensors" ||
        (name.starts_with("expected-") && name.ends_with(".safetensors"))) {
      files.push_back(folder / name);
    }
  }
  if (error != 0) {
    fail("cannot be listed: " + std::generic_category().message(error));
  }
  if (files.empty()) {
    fail("has no expected.safetensors and no expected-*.safetensors; record it again");
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    stores_.push_back(TensorStore::open_file(file));
    for (const TensorView& view : stores_.back().tensors()) {
      if (find(view.name) != &view) {
        fail("two files hold a tensor '" + escape_for_message(view.name) + "'");
      }
    }
  }
}

const TensorView* Reference::find(const std::string& name) const noexcept {
  for (const TensorStore& store : stores_) {
    if (const TensorView* view = store.find(name)) {
      return view;
    }
  }
  return nullptr;
}

std::optional<ReferenceTensor> Reference::tensor(const std::string& name, std::int64_t rows,
                                                 std::int64_t cols) const {
  const TensorView* view = find(name);
  if (view == nullptr) {
    return std::nullopt;
  }
  const bool fits = view->shape == std::vector<std::int64_t>{rows, cols} ||
                    (rows == 1 && view->shape == std::vector<std::int64_t>{cols});
  return checked(*view, fits, rows, cols);
}

std::optional<ReferenceTensor> Reference::input_embeddings(std::int64_t rows,
                                                           std::int64_t cols) const {
  const TensorView* view = find("input_embeddings");
  if (view == nullptr) {
    return std::nullopt;
  }
  const bool fits = view->shape.size() == 2 && view->shape[0] >= rows && view->shape[1] == cols;
  return checked(*view, fits, rows, cols);
}

ReferenceTensor Reference::checked(const TensorView& view, bool shape_fits, std::int64_t rows,
                                   std::int64_t cols) const {
  const std::string what = "tensor '" + escape_for_message(view.name) + "' ";
  if (!shape_fits) {
    fail(what + "has the shape " + shape_text(view.shape) + ", expected " +
         shape_text({rows, cols}) +
         " for this prompt and model; record the reference with this model");
  }
  if (!is_plain(view.dtype)) {
    fail(what + "is stored as " + std::string(dtype_name(view.dtype)) +
         ", expected F32, BF16 or F16");
  }
  return ReferenceTensor(view, rows, cols, quoted_path(folder));
}

void Reference::check_against(const ModelConfig& config) const {
  const auto check_ids = [&](const std::vector<TokenId>& ids, const std::string& field) {
    const auto bad = std::find_if(ids.begin(), ids.end(),
                                  [&](TokenId id) { return id >= config.text.vocab_size; });
    if (bad != ids.end()) {
      fail("case.json: " + field + ": id " + std::to_string(*bad) +
           " is beyond the model's vocabulary of " + std::to_string(config.text.vocab_size) +
           "; record the reference with this model");
    }
  };
  if (image_tokens != 0 && std::find(std::begin(kSoftTokenBudgets), std::end(kSoftTokenBudgets),
                                     image_tokens) == std::end(kSoftTokenBudgets)) {
    fail("case.json: image_tokens: is " + std::to_string(image_tokens) +
         ", expected 70, 140, 280, 560 or 1120, or 0 for the model's own");
  }
  check_ids(token_ids, "token_ids");
  check_ids(suppressed_ids, "suppressed_ids");
  check_ids(rule.greedy_ids, "rules." + rule.name + ".greedy_ids");
  for (const TokenId id : rule.greedy_ids) {
    if (id == config.tokens.image || id == config.tokens.audio || id == config.tokens.video) {
      fail("case.json: rules." + rule.name + ".greedy_ids: id " + std::to_string(id) +
           " is a media placeholder, which stands for nothing in an answer");
    }
  }
  const auto total = static_cast<std::int64_t>(token_ids.size()) +
                     static_cast<std::int64_t>(rule.greedy_ids.size());
  if (total > config.text.max_position_embeddings) {
    fail("its prompt and answer have " + std::to_string(total) + " tokens, but the model takes " +
         std::to_string(config.text.max_position_embeddings));
  }
  for (const TensorStore& store : stores_) {
    for (const TensorView& view : store.tensors()) {
      const std::string prefix = rule.name + ".hidden.";
      if (!view.name.starts_with(prefix)) {
        continue;
      }
      const std::string layer = view.name.substr(prefix.size());
      const bool digits =
          !layer.empty() && layer.size() < 6 &&
          std::all_of(layer.begin(), layer.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (!digits || std::stoll(layer) >= config.text.num_hidden_layers) {
        fail("tensor '" + escape_for_message(view.name) + "': the model has layers 0 to " +
             std::to_string(config.text.num_hidden_layers - 1) +
             "; record the reference with this model");
      }
    }
  }
}

}  // namespace nolens
