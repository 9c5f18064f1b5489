// Draws a picture in the terminal.
#pragma once

#include <string>

#include "nolens/media.h"

namespace nolens::cli {

/// The picture as lines of half blocks with 24-bit colours, two pixels a character, at most
/// `columns` wide and `rows` high, shape kept. Never enlarged. Empty for a picture without pixels.
std::string draw_picture(const Image& image, int columns, int rows);

/// Draws to stderr if it shows 24-bit colours; does nothing otherwise.
void show_picture(const Image& image);

}  // namespace nolens::cli
