// nolens quantize MODEL FILE.nolens --format FORMAT, its --report, and nolens verify FILE.nolens
#include "nolens/quantize.h"

#include <memory>

#include "nolens/error.h"

#include "commands.h"
#include "files.h"
#include "json_output.h"
#include "loading.h"
#include "model_path.h"
#include "progress.h"
#include "pull_progress.h"
#include "quantize_report.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct QuantizeCommand {
  QuantizeOptions quantize;
  std::string model;
  std::string out;
  std::string mmproj;
  bool report = false;
  std::vector<std::string> formats;
  std::int64_t windows = 0;
  bool json = false;
  bool markdown = false;
};

QuantizeOptions quantize_options(const QuantizeCommand& command) {
  QuantizeOptions options = command.quantize;
  options.out = command.out;
  options.mmproj = command.mmproj;
  options.log = [](LogLevel level, std::string_view message) {
    if (level == LogLevel::kWarning) {
      print_error("warning: " + std::string(message) + "\n");
    }
  };
  return options;
}

/// Writes the file and says so; of JSON, the object to print.
OutputJson write_file(const std::filesystem::path& model, const QuantizeCommand& command) {
  QuantizeOptions options = quantize_options(command);
  const auto start = std::chrono::steady_clock::now();
  QuantizeResult result;
  {
    Progress progress("quantising");
    options.progress = progress.sink();
    result = quantize_model(model, options);
  }
  const double seconds = milliseconds_since(start) / 1000.0;
  for (const std::string& note : result.notes) {
    print_error("note: " + note + "\n");
  }
  if (!command.json) {
    print_error(quoted_path(command.out) + " is written: " + shown_decimal(result.source_bytes) +
                " became " + shown_decimal(result.file_bytes) + " in " + shown_seconds(seconds) +
                "\n");
  }
  OutputJson json;
  json["path"] = command.out;
  json["format"] = options.format;
  json["source_bytes"] = result.source_bytes;
  json["file_bytes"] = result.file_bytes;
  json["notes"] = result.notes;
  json["seconds"] = seconds;
  return json;
}

QuantizeReport make_report(const std::filesystem::path& model, const QuantizeCommand& command) {
  ReportOptions options;
  options.quantize = quantize_options(command);
  options.model = model;
  options.windows = command.windows;
  options.file = command.out;
  if (!command.quantize.format.empty()) {
    options.formats = {command.quantize.format +
                       (command.quantize.double_quant ? "+double-quant" : "")};
  } else {
    options.formats = command.formats.empty() ? report_formats() : command.formats;
  }
  QuantizeReport report = measure_report(options);
  for (const FormatCost& cost : report.costs) {
    for (const std::string& note : cost.notes) {
      print_error("note: " + cost.format + ": " + note + "\n");
    }
  }
  return report;
}

/// \throws Error{kUsage} for options that do not go together
void check_command(const QuantizeCommand& command) {
  const bool has_format = !command.quantize.format.empty();
  if (!command.report && (command.out.empty() || !has_format)) {
    throw Error(ErrorCode::kUsage,
                "quantize needs a file to write and its --format; --report alone writes none");
  }
  if (!command.out.empty() && !has_format) {
    throw Error(ErrorCode::kUsage, "quantize needs the --format of the file to write");
  }
  if (has_format && !command.formats.empty()) {
    throw Error(ErrorCode::kUsage,
                "--formats is for a report without a file; leave out it or --format");
  }
  if (command.quantize.double_quant && !has_format) {
    throw Error(ErrorCode::kUsage,
                "--double-quant belongs to --format; in a report, name nf4+double-quant");
  }
}

int run_quantize(const QuantizeCommand& command) {
  check_command(command);
  const std::filesystem::path model = choose_model(command.model);
  OutputJson json;
  if (!command.out.empty()) {
    json = write_file(model, command);
  }
  if (command.report) {
    const QuantizeReport report = make_report(model, command);
    if (!command.json) {
      print(report_text(report, command.markdown ? TableStyle::kMarkdown : TableStyle::kText));
    }
    json["report"] = report_json(report);
  }
  if (command.json) {
    print(json_line(json));
  }
  return 0;
}

int run_verify(const std::string& file) {
  {
    Progress progress("verifying");
    verify_model_file(file, progress.sink());
  }
  print_error(quoted_path(file) + " is as it was written\n");
  return 0;
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  auto options = std::make_shared<QuantizeCommand>();
  CLI::App* command =
      app.add_subcommand("quantize", "Write a model as one .nolens file with weights in few bits");
  command->add_option("model", options->model, "A directory, a GGUF file, or a name in the cache")
      ->type_name("MODEL")
      ->required();
  command->add_option("out", options->out, "The file to write; replaced if it exists")
      ->type_name("FILE.nolens");
  const std::vector<std::string> formats = quantize_formats();
  command
      ->add_option("--format", options->quantize.format,
                   "Of the decoder's matrices: " + list(formats) + "; keep changes no value")
      ->check(CLI::IsMember(formats).description(""))
      ->type_name("FORMAT");
  command
      ->add_option("--head-format", options->quantize.head_format,
                   "Of token embedding and output head; same = as --format")
      ->type_name("FORMAT");
  command->add_flag("--double-quant", options->quantize.double_quant,
                    "nf4 and fp4: scales in 8 bits, half a bit less a weight");
  command->add_option("--mmproj", options->mmproj, "GGUF: the file with the media embedders")
      ->type_name("FILE");
  command->add_option("-t,--threads", options->quantize.num_threads, "Threads; 0 = one a core")
      ->check(CLI::Range(0, 1024).description(""))
      ->type_name("N");
  CLI::Option* report = command->add_flag(
      "--report", options->report,
      "Print what the format costs: distance of predictions from the source's on a text and on "
      "pictures; without FILE.nolens, of all formats");
  command
      ->add_option("--formats", options->formats,
                   "--report without FILE.nolens: which ones, of " + list(report_formats()))
      ->delimiter(',')
      ->check(CLI::IsMember(report_formats()).description(""))
      ->type_name("FORMAT,…")
      ->needs(report);
  command
      ->add_option("--windows", options->windows,
                   "--report: only the first N windows of the text; 0 = all")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 31U).description(""))
      ->type_name("N")
      ->needs(report);
  CLI::Option* json = command->add_flag("--json", options->json, "Print one JSON object");
  command->add_flag("--markdown", options->markdown, "--report: print Markdown tables")
      ->needs(report)
      ->excludes(json);
  command->callback([options, &action] { action = [options] { return run_quantize(*options); }; });
}

void add_verify(CLI::App& app, Action& action) {
  auto file = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("verify", "Compare a .nolens file with the checksums it was written with");
  command->add_option("file", *file, "The file")->type_name("FILE.nolens")->required();
  command->callback([file, &action] { action = [file] { return run_verify(*file); }; });
}

}  // namespace nolens::cli
