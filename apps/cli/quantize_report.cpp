// Formats pass one after the other through a folder that goes with the report.
#include "quantize_report.h"

#include <algorithm>
#include <optional>
#include <stdlib.h>
#include <system_error>
#include <utility>

#include "nolens/error.h"

#include "files.h"
#include "model_path.h"
#include "progress.h"

namespace nolens::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kText = "data/devils-dictionary/excerpt.txt";
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 20U;
constexpr std::string_view kNested = "+double-quant";
constexpr std::string_view kBytes = "+byte-codebook";

/// A new folder in the system's folder for temporary files, removed with all it holds.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    const fs::path parent = fs::temp_directory_path(error);
    std::string pattern = (parent / "nolens-report-XXXXXX").string();
    if (error || ::mkdtemp(pattern.data()) == nullptr) {
      throw Error(ErrorCode::kResource,
                  quoted_path(parent) +
                      ": no folder can be made there for the models of the report; set TMPDIR to "
                      "one with room");
    }
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;  // a destructor has nobody to tell
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

std::string bundled_text() {
  const std::optional<fs::path> path = find_bundled(kText);
  if (!path) {
    throw Error(ErrorCode::kInput, std::string("the text of the report is not installed: ") +
                                       kText + " should be in share/nolens beside the program");
  }
  return read_input_file(*path, kMaxTextBytes);
}

/// Of the text, as many windows as asked for. Models with a short context have short ones.
CostSource open_source(const ReportOptions& options) {
  LoadOptions load;
  load.num_threads = options.quantize.num_threads;
  load.exact = true;
  load.mmproj = options.quantize.mmproj;
  load.log = options.quantize.log;
  Progress progress("loading");
  load.progress = progress.sink();
  CostSource source;
  source.model = Model::load(options.model, load);
  const std::int64_t window =
      std::min(options.window, source.model->config().text.max_position_embeddings);
  source.windows = text_windows(*source.model, bundled_text(), window).windows;
  if (options.windows > 0 && static_cast<std::size_t>(options.windows) < source.windows.size()) {
    source.windows.resize(static_cast<std::size_t>(options.windows));
  }
  return source;
}

FormatCost measure_format(const ReportOptions& options, const std::string& format,
                          const CostSource& source) {
  std::optional<TemporaryFolder> folder;
  fs::path file = options.file;
  std::vector<std::string> notes;
  if (file.empty()) {
    folder.emplace();
    file = folder->path() / "model.nolens";
    QuantizeOptions quantize = options.quantize;
    quantize.out = file;
    quantize.double_quant = format.find(kNested) != std::string::npos;
    quantize.format = format.substr(0, format.find('+'));
    Progress progress("quantising, " + format);
    quantize.progress = progress.sink();
    notes = quantize_model(options.model, quantize).notes;
  }
  Progress progress("comparing, " + format);
  LoadOptions load;
  load.num_threads = options.quantize.num_threads;
  load.byte_codebook = format.ends_with(kBytes);
  FormatCost cost = measure_cost(source, file, load, progress.sink());
  cost.format = format;
  cost.notes = std::move(notes);
  return cost;
}

}  // namespace

std::vector<std::string> report_formats() {
  std::vector<std::string> formats;
  for (const std::string& format : quantize_formats()) {
    formats.push_back(format);
    if (format == "nf4" || format == "fp4") {
      formats.push_back(format + std::string(kBytes));
      formats.push_back(format + std::string(kNested));
    }
  }
  return formats;
}

QuantizeReport measure_report(const ReportOptions& options) {
  const CostSource source = open_source(options);
  QuantizeReport report;
  report.model = source.model->config().name + ", " + source.model->format();
  report.sees = source.model->config().vision.has_value();
  report.window = static_cast<std::int64_t>(source.windows.front().size());
  report.windows = static_cast<std::int64_t>(source.windows.size());
  for (const std::string& format : options.formats) {
    report.costs.push_back(measure_format(options, format, source));
  }
  return report;
}

}  // namespace nolens::cli
