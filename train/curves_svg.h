// A run's CSV curve as a picture.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace nolens::train {

/// Draws the columns `names` of the CSV file over its first column, one panel below the other, and
/// writes an SVG file. Columns that are zero throughout are left out. Rows are thinned to a few
/// hundred points by averaging. \throws Error{kResource, kInput}
void write_curves_svg(const std::filesystem::path& csv, const std::vector<std::string>& names,
                      const std::string& title, const std::filesystem::path& svg);

}  // namespace nolens::train
