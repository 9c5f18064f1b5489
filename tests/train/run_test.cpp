// The program as a whole: restarts, ranks, signals, exit codes.
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "fixture.h"
#include "formats/config_reader.h"
#include "formats/tensor_store.h"

namespace nolens::train {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RunTest : public testing::Test {
 protected:
  RunTest() : model_(write_small_model(folder_.path() / "model")) {}

  /// Starts nolens-train with output in log(out).
  pid_t start(const std::string& out, std::vector<std::string> more) const {
    std::vector<std::string> words = {NOLENS_TRAIN_PROGRAM,
                                      "--model",
                                      model_.string(),
                                      "--out",
                                      (folder_.path() / out).string(),
                                      "--warmup",
                                      "2",
                                      "--batch",
                                      "4",
                                      "--branches",
                                      "2",
                                      "--log-every",
                                      "1",
                                      "--average",
                                      "0.9"};
    if (!fs::exists(model_ / "model.safetensors")) {
      words.push_back("--from-scratch");
    }
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> pointers;
    for (std::string& word : words) {
      pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    const std::string log = (folder_.path() / (out + ".log")).string();
    const pid_t child = fork();
    if (child == 0) {
      const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      dup2(file, STDOUT_FILENO);
      dup2(file, STDERR_FILENO);
      execv(pointers[0], pointers.data());
      _exit(127);
    }
    return child;
  }
  static int wait_for(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int run(const std::string& out, const std::vector<std::string>& more) const {
    return wait_for(start(out, more));
  }
  [[nodiscard]] std::string log(const std::string& out) const {
    return read_text(folder_.path() / (out + ".log"));
  }
  [[nodiscard]] std::string weights(const std::string& out) const {
    return read_text(folder_.path() / out / "model" / "model.safetensors");
  }
  [[nodiscard]] std::string checkpoint(const std::string& out, const std::string& step) const {
    return read_text(folder_.path() / out / "checkpoints" / step / "state.safetensors");
  }
  /// Columns of loss.csv without the time, as numbers.
  [[nodiscard]] std::vector<std::vector<double>> curve(const std::string& out) const {
    std::istringstream stream(read_text(folder_.path() / out / "loss.csv"));
    std::string line;
    std::getline(stream, line);
    std::vector<std::vector<double>> rows;
    while (std::getline(stream, line)) {
      rows.emplace_back();
      std::istringstream cells(line);
      std::string cell;
      while (std::getline(cells, cell, ',')) {
        rows.back().push_back(std::stod(cell));
      }
      rows.back().pop_back();
    }
    return rows;
  }
  /// Waits until loss.csv has `rows` rows.
  void wait_for_rows(const std::string& out, std::size_t rows) const {
    const fs::path file = folder_.path() / out / "loss.csv";
    while (!fs::exists(file) || curve(out).size() < rows) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  TemporaryFolder folder_;
  fs::path model_;
};

const std::vector<std::string> kDrawings = {"--drawings-share", "1",  "--scaffold", "0.3",
                                            "--contrastive",    "0.2"};

std::vector<std::string> with(std::vector<std::string> words,
                              const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST_F(RunTest, FiveStepsAndFiveMoreEqualTenBitForBit) {
  ASSERT_EQ(run("ten", with(kDrawings, {"--steps", "10"})), 0) << log("ten");
  // The second run is stopped by a signal after some steps and continued.
  const pid_t child = start("parts", with(kDrawings, {"--steps", "10", "--checkpoint-every", "5"}));
  wait_for_rows("parts", 5);
  kill(child, SIGTERM);
  ASSERT_EQ(wait_for(child), 0) << log("parts");
  ASSERT_EQ(run("parts", with(kDrawings, {"--steps", "10", "--resume"})), 0) << log("parts");
  EXPECT_EQ(weights("ten"), weights("parts"));
  EXPECT_EQ(checkpoint("ten", "step-00000010"), checkpoint("parts", "step-00000010"));
  EXPECT_EQ(curve("ten"), curve("parts"));
}

TEST_F(RunTest, AKilledRunResumesAndEndsInTheSameState) {
  const auto options =
      with(kDrawings, {"--steps", "12", "--checkpoint-every", "3", "--ranks", "2"});
  ASSERT_EQ(run("whole", options), 0) << log("whole");
  const pid_t child = start("killed", options);
  wait_for_rows("killed", 7);
  kill(child, SIGKILL);
  EXPECT_EQ(wait_for(child), -SIGKILL);
  ASSERT_EQ(run("killed", with(options, {"--resume"})), 0) << log("killed");
  EXPECT_EQ(weights("whole"), weights("killed"));
  EXPECT_EQ(curve("whole"), curve("killed"));
}

TEST_F(RunTest, OneAndTwoRanksTrainAlike) {
  for (const std::string kind : {"sigmoid", "softmax"}) {
    const auto options =
        with(kDrawings, {"--steps", "4", "--accumulation", "2", "--contrastive-kind", kind});
    ASSERT_EQ(run("one" + kind, options), 0) << log("one" + kind);
    ASSERT_EQ(run("two" + kind, with(options, {"--ranks", "2"})), 0) << log("two" + kind);
    const auto one = curve("one" + kind);
    const auto two = curve("two" + kind);
    ASSERT_EQ(one.size(), 4U);
    ASSERT_EQ(two.size(), 4U);
    for (std::size_t row = 0; row < 4; ++row) {
      for (std::size_t column = 0; column < one[row].size(); ++column) {
        EXPECT_NEAR(two[row][column], one[row][column], 1e-5 * std::abs(one[row][column]))
            << kind << ", step " << row + 1 << ", column " << column;
      }
    }
  }
}

TEST_F(RunTest, TheExportIsAModelThatCanBeReadAndTrainedOn) {
  const auto data = write_data(folder_.path(), 6);
  ASSERT_EQ(run("first", {"--steps", "3", "--data", data.string(), "--validation", data.string()}),
            0)
      << log("first");
  const fs::path exported = folder_.path() / "first" / "model";
  const ModelConfig config = read_model_config(exported);
  EXPECT_EQ(config.source_dtype, SourceDtype::kFloat32);
  EXPECT_EQ(config.text.hidden_size, 32);
  const TensorStore store = TensorStore::open_directory(exported);
  EXPECT_NE(store.find("model.vision_embedder.pos_embedding"), nullptr);
  EXPECT_NE(store.find("model.language_model.layers.1.layer_scalar"), nullptr);
  for (const TensorView& tensor : store.tensors()) {
    EXPECT_FALSE(tensor.name.starts_with("train.")) << tensor.name;
  }
  for (const char* file : {"loss.csv", "loss.svg", "validation.csv", "validation.svg"}) {
    EXPECT_TRUE(fs::exists(folder_.path() / "first" / file)) << file;
  }
  model_ = exported;
  ASSERT_EQ(run("second", {"--steps", "2", "--data", data.string()}), 0) << log("second");
}

TEST_F(RunTest, ASecondRunInTheSameFolderNeedsResume) {
  ASSERT_EQ(run("same", with(kDrawings, {"--steps", "2"})), 0) << log("same");
  EXPECT_EQ(run("same", with(kDrawings, {"--steps", "2"})), 2);
  EXPECT_THAT(log("same"), HasSubstr("--resume"));
}

TEST_F(RunTest, ALossThatIsNoNumberIsSkippedThenEndsTheRun) {
  EXPECT_EQ(run("nan", with(kDrawings, {"--steps", "50", "--rate", "1e30", "--warmup", "0",
                                        "--max-bad-steps", "3"})),
            4);
  EXPECT_THAT(log("nan"), HasSubstr("skipped"));
  EXPECT_THAT(log("nan"), HasSubstr("3 steps in a row"));
}

TEST_F(RunTest, BadLinesBeyondTheThresholdEndTheRun) {
  const auto data = write_data(folder_.path(), 6);
  write_text(data, read_text(data) + "{}\n");
  EXPECT_EQ(run("bad", {"--steps", "2", "--data", data.string()}), 4);
  EXPECT_THAT(log("bad"), HasSubstr("line 7"));
  EXPECT_EQ(run("tolerant", {"--steps", "2", "--data", data.string(), "--max-bad-share", "0.5"}), 0)
      << log("tolerant");
}

TEST_F(RunTest, NoSamplesIsAUsageError) {
  write_text(folder_.path() / "empty.jsonl", "\n\n");
  EXPECT_EQ(run("empty", {"--steps", "2", "--data", (folder_.path() / "empty.jsonl").string()}), 2);
  EXPECT_EQ(run("none", {"--steps", "2"}), 2);
}

TEST_F(RunTest, OptionsMayStandInAFileAndTheCommandLineWins) {
  write_text(folder_.path() / "options.json",
             R"({"steps": 7, "drawings-share": 1.0, "symmetries": true})");
  ASSERT_EQ(run("file", {"--config", (folder_.path() / "options.json").string(), "--steps", "2"}),
            0)
      << log("file");
  EXPECT_EQ(curve("file").size(), 2U);
  write_text(folder_.path() / "options.json", R"({"stepps": 7})");
  EXPECT_EQ(run("typo", {"--config", (folder_.path() / "options.json").string()}), 2);
  EXPECT_THAT(log("typo"), HasSubstr("stepps"));
}

TEST_F(RunTest, OnAPipeThereIsNoProgressBar) {
  ASSERT_EQ(run("pipe", with(kDrawings, {"--steps", "2"})), 0);
  EXPECT_EQ(log("pipe").find('\r'), std::string::npos);
}

}  // namespace
}  // namespace nolens::train
