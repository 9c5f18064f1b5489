// The model descriptions that ship inside the program: presets/*.json, embedded at build time.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "nolens/config.h"

#include "formats/json.h"

namespace nolens {

/// One file of presets/.
struct Preset {
  std::string_view name;  ///< file name without ".json"
  std::string_view text;  ///< its content
};

/// All of them, sorted by name.
std::span<const Preset> presets() noexcept;

/// {"config": …, "processor_config": …, "generation_config": …}, from a preset's name or from the
/// path of such a file. The last two may be absent from a file; they are null then.
/// \throws Error{kUsage} listing the names if there is neither, Error{kModel} if the file is
/// broken.
Json preset_json(const std::string& name_or_path);

/// The configuration of a document that preset_json() returned; `name` becomes its name.
ModelConfig preset_config(const Json& preset, const std::string& name);

}  // namespace nolens
