// A small untrained model, made from the configuration and tokenizer of models/nolens-tiny.
#pragma once

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "nolens/config.h"
#include "nolens/error.h"
#include "nolens/tokenizer.h"

#include "export.h"
#include "formats/json.h"
#include "platform/mapped_file.h"

namespace nolens::train {

inline std::filesystem::path source_folder() {
  return NOLENS_SOURCE_DIR;
}
inline std::filesystem::path demo_model() {
  return source_folder() / "models" / "nolens-tiny";
}

/// A folder that goes away with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::random_device random;
    path_ = std::filesystem::temp_directory_path() /
            ("nolens-train-test-" + std::to_string(random()) + std::to_string(random()));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_text(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

inline std::string read_text(const std::filesystem::path& file) {
  return read_file(file, std::size_t{1} << 26U, ErrorCode::kInput);
}

/// A model folder without weights: two layers of width 32, otherwise as models/nolens-tiny.
inline std::filesystem::path write_small_model(const std::filesystem::path& folder,
                                               std::int64_t window = 512) {
  std::filesystem::create_directories(folder);
  for (const char* name : {"generation_config.json", "processor_config.json", "tokenizer.json",
                           "tokenizer_config.json", "chat_template.jinja"}) {
    std::filesystem::copy_file(demo_model() / name, folder / name);
  }
  Json config = Json::parse(read_text(demo_model() / "config.json"));
  Json& text = config["text_config"];
  text["hidden_size"] = 32;
  text["intermediate_size"] = 48;
  text["num_hidden_layers"] = 2;
  text["layer_types"] = {"sliding_attention", "full_attention"};
  text["head_dim"] = 16;
  text["global_head_dim"] = 24;
  text["sliding_window"] = window;
  config["vision_config"]["mm_embed_dim"] = 32;
  config["vision_config"]["output_proj_dims"] = 32;
  write_text(folder / "config.json", config.dump());
  return folder;
}

/// The same in memory.
struct SmallModel {
  explicit SmallModel(std::int64_t window = 512)
      : directory(write_small_model(folder.path() / "model", window)),
        config(read_training_config(directory, true)),
        tokenizer(Tokenizer::load(directory / "tokenizer.json")) {}

  TemporaryFolder folder;
  std::filesystem::path directory;
  ModelConfig config;
  Tokenizer tokenizer;
};

/// A data file about two pictures of the official test split, `lines` lines.
inline std::filesystem::path write_data(const std::filesystem::path& folder, int lines) {
  const std::filesystem::path images = source_folder() / "data" / "easy-vqa-test" / "images";
  std::string text;
  for (int i = 0; i < lines; ++i) {
    const Json line = {{"image", (images / (std::to_string(i % 2) + ".png")).string()},
                       {"messages",
                        {{{"role", "user"}, {"content", "what color is the shape?"}},
                         {{"role", "assistant"}, {"content", i % 3 == 0 ? "red" : "blue"}}}},
                       {"caption", i % 2 == 0 ? "a red triangle" : "a blue circle"}};
    text += line.dump() + "\n";
  }
  write_text(folder / "data.jsonl", text);
  return folder / "data.jsonl";
}

}  // namespace nolens::train
