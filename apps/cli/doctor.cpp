// nolens doctor: what the machine offers, what is missing.
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string_view>

#include "nolens/hub.h"
#include "nolens/machine.h"

#include "commands.h"
#include "json_output.h"
#include "model_path.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct DoctorOptions {
  bool list_isa = false;
  bool json = false;
};

/// Text behind `key` and a colon in a file of /proc, empty if there is none.
std::string proc_field(const char* file, std::string_view key) {
  std::ifstream stream(file);
  std::string line;
  while (std::getline(stream, line)) {
    const std::size_t colon = line.find(':');
    if (line.starts_with(key) && colon != std::string::npos) {
      const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
      return begin == std::string::npos ? std::string() : line.substr(begin);
    }
  }
  return {};
}

/// A "123 kB" field of /proc/meminfo in bytes, 0 if unknown.
std::int64_t memory_field(std::string_view key) {
  const std::string text = proc_field("/proc/meminfo", key);
  return text.empty() ? 0 : std::strtoll(text.c_str(), nullptr, 10) * 1024;
}

struct Finding {
  std::string what;
  std::string found;  ///< empty = missing
  std::string remedy;
};

std::vector<Finding> find_parts() {
  const auto bundled = [](const std::string& relative) {
    const auto path = find_bundled(relative);
    return path ? path->string() : std::string();
  };
  std::vector<Finding> findings;
  findings.push_back({"demonstration model", bundled("models/nolens-tiny/model.safetensors"),
                      "without --model nothing answers; reinstall nolens"});
  findings.push_back({"easy-VQA test", bundled("data/easy-vqa-test/questions.json"),
                      "nolens eval needs --data DIR"});
  std::string train;
  std::error_code error;
  for (const auto& program :
       {program_folder() / "nolens-train", program_folder() / "train" / "nolens-train"}) {
    if (train.empty() && std::filesystem::exists(program, error)) {
      train = program.string();
    }
  }
  findings.push_back({"downloads", hub_http_library(),
                      "nolens pull needs libcurl; install libcurl4-openssl-dev and build again"});
  findings.push_back({"nolens-train", train, "optional; build with -DNOLENS_WITH_TORCH=ON"});
  return findings;
}

std::string row(const std::string& name, const std::string& value) {
  return name + std::string(name.size() < 22 ? 22 - name.size() : 1, ' ') + value + "\n";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

std::string mebibytes(std::int64_t bytes) {
  return std::to_string(bytes >> 20U) + " MiB";
}

int run_doctor(const DoctorOptions& options) {
  const MachineInfo machine = machine_info();
  if (options.list_isa) {
    for (const std::string& name : machine.instruction_sets) {
      print(name + "\n");
    }
    return 0;
  }
  const std::string processor = proc_field("/proc/cpuinfo", "model name");
  const std::int64_t total = memory_field("MemTotal");
  const std::int64_t available = memory_field("MemAvailable");
  const std::vector<Finding> parts = find_parts();
  if (options.json) {
    OutputJson json = {{"processor", processor},
                       {"instruction_sets", machine.instruction_sets},
                       {"chosen_instruction_set", machine.chosen_instruction_set},
                       {"physical_cores", machine.physical_cores},
                       {"memory_total_bytes", total},
                       {"memory_available_bytes", available}};
    for (const Finding& part : parts) {
      json["parts"][part.what] = part.found.empty() ? OutputJson(nullptr) : OutputJson(part.found);
    }
    print(json_line(json));
    return 0;
  }
  std::string text = row("processor", processor.empty() ? "unknown" : processor);
  text += row("cores", std::to_string(machine.physical_cores) + " physical, usable here");
  text += row("instruction set", machine.chosen_instruction_set);
  text += row("runs here", joined(machine.instruction_sets) + " (NOLENS_CPU forces one)");
  text += row("memory", mebibytes(available) + " of " + mebibytes(total) + " available");
  for (const Finding& part : parts) {
    text += row(part.what, part.found.empty() ? "missing: " + part.remedy : part.found);
  }
  print(text);
  return 0;
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* command = app.add_subcommand(
      "doctor", "Show processor, instruction set chosen, memory and what is missing");
  command->add_flag("--list-isa", options->list_isa,
                    "Only the instruction sets that run here, one a line");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &action] { action = [options] { return run_doctor(*options); }; });
}

}  // namespace nolens::cli
