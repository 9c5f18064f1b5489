// The memory table of `nolens info`.
#pragma once

#include <cstdint>
#include <string>

#include "nolens/cost.h"
#include "nolens/model.h"

#include "json_output.h"

namespace nolens::cli {

struct InfoMemory {
  MemoryUse use;
  std::int64_t program = 0;        ///< code, tokenizer and the rest of this process, measured
  bool only_this_context = false;  ///< --ctx was given: no table over others
};

/// What this process holds beside the weights of `model`, which it has just loaded.
std::int64_t program_bytes(const Model& model);

/// Parts, total, and a table over context lengths and types of the cache.
std::string memory_text(const Model& model, const InfoMemory& memory);
OutputJson memory_json(const Model& model, const InfoMemory& memory);

/// Such as "1.20 GiB".
std::string shown_bytes(std::int64_t bytes);
/// Such as "16,384".
std::string shown_count(std::int64_t count);
/// A line of `nolens info`.
std::string info_row(const std::string& name, const std::string& value);

}  // namespace nolens::cli
