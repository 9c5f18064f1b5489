// Reads lines: with history and editing from a terminal, plainly from a pipe.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace nolens::cli {

class LineEditor {
 public:
  LineEditor();
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  /// The next line without its end; nothing at the end of input. Ctrl-C gives an empty line.
  std::optional<std::string> read_line(const std::string& prompt);
  /// Keeps a line for the arrow keys, in this run only.
  void remember(const std::string& line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens::cli
