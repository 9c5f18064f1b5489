// Finds presets by name, or reads one from a file.
#include <filesystem>
#include <system_error>
#include <vector>

#include "nolens/synthesize.h"

#include "formats/config_reader.h"
#include "formats/presets.h"
#include "platform/mapped_file.h"
#include "platform/quoted_path.h"

namespace nolens {
namespace {

constexpr std::size_t kMaxPresetBytes = 4U << 20U;

Json parse_preset(std::string_view text, const std::string& name) {
  Json preset = parse_json(text, name, ErrorCode::kModel);
  if (!preset.is_object() || !preset.contains("config")) {
    throw Error(
        ErrorCode::kModel,
        name + R"(: expected {"config": …, "processor_config": …, "generation_config": …})");
  }
  for (const auto& [key, value] : preset.items()) {
    if (key != "config" && key != "processor_config" && key != "generation_config") {
      throw Error(ErrorCode::kModel, name + ": unknown part '" + escape_for_message(key) +
                                         "'; expected config, processor_config and "
                                         "generation_config");
    }
  }
  preset.emplace("processor_config", nullptr);
  preset.emplace("generation_config", nullptr);
  return preset;
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    names.emplace_back(preset.name);
  }
  return names;
}

Json preset_json(const std::string& name_or_path) {
  for (const Preset& preset : presets()) {
    if (preset.name == name_or_path) {
      return parse_preset(preset.text, "preset " + name_or_path);
    }
  }
  std::error_code error;
  if (!std::filesystem::exists(name_or_path, error)) {
    std::string names;
    for (const Preset& preset : presets()) {
      names += names.empty() ? "" : ", ";
      names += preset.name;
    }
    throw Error(ErrorCode::kUsage,
                quoted_path(name_or_path) + " is neither a preset nor a file; presets: " + names);
  }
  return parse_preset(read_file(name_or_path, kMaxPresetBytes, ErrorCode::kModel),
                      quoted_path(name_or_path));
}

ModelConfig preset_config(const Json& preset, const std::string& name) {
  return model_config_from_json(preset.at("config"), preset.at("generation_config"),
                                preset.at("processor_config"), name);
}

}  // namespace nolens
