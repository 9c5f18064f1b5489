#include "info_memory.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "bench_output.h"
#include "resident.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

constexpr std::array<std::int64_t, 5> kContexts = {4096, 16384, 65536, 131072, 262144};

struct NamedType {
  const char* name;
  KvCacheType type;
};
constexpr std::array<NamedType, 3> kTypes{
    {{"f16", KvCacheType::kF16}, {"bf16", KvCacheType::kBf16}, {"int8", KvCacheType::kInt8}}};

MemoryBudget budget_at(const Model& model, const InfoMemory& memory, std::int64_t context,
                       KvCacheType type) {
  MemoryUse use = memory.use;
  use.context_length = context;
  use.kv_cache = type;
  return memory_budget(model, use);
}

/// The model's context, and those of kContexts before it.
std::vector<std::int64_t> contexts_of(const Model& model) {
  const std::int64_t most = model.config().text.max_position_embeddings;
  std::vector<std::int64_t> contexts;
  std::copy_if(kContexts.begin(), kContexts.end(), std::back_inserter(contexts),
               [most](std::int64_t context) { return context < most; });
  contexts.push_back(most);
  return contexts;
}

/// An exact model has one type of cache only.
std::vector<NamedType> types_of(const InfoMemory& memory) {
  if (memory.use.kv_cache == KvCacheType::kF32) {
    return {{"f32", KvCacheType::kF32}};
  }
  return {kTypes.begin(), kTypes.end()};
}

std::string contexts_table(const Model& model, const InfoMemory& memory) {
  std::vector<std::vector<std::string>> rows{{"  context"}};
  for (const NamedType& type : types_of(memory)) {
    rows.front().push_back(std::string("keys, values ") + type.name);
    rows.front().emplace_back("total");
  }
  for (const std::int64_t context : contexts_of(model)) {
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back("  " + shown_count(context));
    for (const NamedType& type : types_of(memory)) {
      const MemoryBudget budget = budget_at(model, memory, context, type.type);
      row.push_back(shown_bytes(budget.keys_values()));
      row.push_back(shown_bytes(budget.total() + memory.program));
    }
  }
  return format_table(rows, TableStyle::kText);
}

}  // namespace

std::string shown_bytes(std::int64_t bytes) {
  static constexpr std::array<const char*, 4> kUnits = {"B", "KiB", "MiB", "GiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024.0 && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.2f %s", value, kUnits[unit]);
  return text.data();
}

std::string shown_count(std::int64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t i = text.size(); i > 3; i -= 3) {
    text.insert(i - 3, ",");
  }
  return text;
}

std::string info_row(const std::string& name, const std::string& value) {
  return name + std::string(name.size() < 16 ? 16 - name.size() : 1, ' ') + value + "\n";
}

std::int64_t program_bytes(const Model& model) {
  const MemoryBudget budget = memory_budget(model, {.context_length = 1});
  return std::max<std::int64_t>(0, resident_bytes_beside_weights() - budget.weights_packed);
}

std::string memory_text(const Model& model, const InfoMemory& memory) {
  const MemoryBudget budget = memory_budget(model, memory.use);
  const auto part = [](const char* name, std::int64_t bytes) {
    return bytes > 0 ? info_row(std::string("  ") + name, shown_bytes(bytes)) : std::string();
  };
  std::string text = info_row(
      "memory", "at a context of " + shown_count(memory.use.context_length) + ", all used:");
  text += part("weights", budget.weights_mapped);
  text += part("packed", budget.weights_packed);
  text += part("full layers", budget.full_layers);
  text += part("sliding", budget.sliding_layers);
  text += part("growing", budget.growth);
  text += part("activations", budget.activations);
  text += part("logits", budget.logits);
  text += part("a picture", budget.picture);
  text += part("program", memory.program);
  text += part("total", budget.total() + memory.program);
  text += part("decoding", budget.decoding);
  return memory.only_this_context ? text : text + contexts_table(model, memory);
}

OutputJson memory_json(const Model& model, const InfoMemory& memory) {
  const MemoryBudget budget = memory_budget(model, memory.use);
  OutputJson json = {{"weights_bytes", model.weights_bytes()},
                     {"ctx", memory.use.context_length},
                     {"kv_bytes", budget.full_layers + budget.sliding_layers},
                     {"weights_mapped_bytes", budget.weights_mapped},
                     {"weights_packed_bytes", budget.weights_packed},
                     {"full_layers_bytes", budget.full_layers},
                     {"sliding_layers_bytes", budget.sliding_layers},
                     {"growth_bytes", budget.growth},
                     {"activations_bytes", budget.activations},
                     {"logits_bytes", budget.logits},
                     {"picture_bytes", budget.picture},
                     {"decoding_bytes", budget.decoding},
                     {"program_bytes", memory.program},
                     {"total_bytes", budget.total() + memory.program}};
  if (!memory.only_this_context) {
    json["contexts"] = OutputJson::array();
    for (const std::int64_t context : contexts_of(model)) {
      for (const NamedType& type : types_of(memory)) {
        const MemoryBudget at = budget_at(model, memory, context, type.type);
        json["contexts"].push_back({{"ctx", context},
                                    {"kv_cache", type.name},
                                    {"kv_bytes", at.full_layers + at.sliding_layers},
                                    {"total_bytes", at.total() + memory.program}});
      }
    }
  }
  return json;
}

}  // namespace nolens::cli
