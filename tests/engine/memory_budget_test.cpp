// memory_budget() against what a model and a session allocate.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <malloc.h>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "nolens/cost.h"
#include "nolens/error.h"
#include "nolens/session.h"
#include "nolens/synthesize.h"

#include "formats/temporary_folder.h"
#include "support/allocation_hooks.h"
#include "support/tiny_model.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;

constexpr double kTolerance = 0.02;
constexpr std::int64_t kContext = 1024;

/// Bytes in use of all that was allocated; 0 where the allocator does not tell, as under a
/// sanitizer.
std::int64_t allocated() {
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

/// The most in use before any allocation since the last reset; below 0 = nobody asks.
std::atomic<std::int64_t> most_allocated{-1};

/// Notes it while it lives. What is allocated last does not count, which is little.
class PeakMeter {
 public:
  PeakMeter() : before_(allocated()) { most_allocated = before_; }
  ~PeakMeter() { most_allocated = -1; }
  PeakMeter(const PeakMeter&) = delete;
  PeakMeter& operator=(const PeakMeter&) = delete;
  [[nodiscard]] std::int64_t growth() const noexcept { return most_allocated - before_; }

 private:
  std::int64_t before_;
};

}  // namespace

bool on_allocation() noexcept {
  if (std::int64_t most = most_allocated; most >= 0) {
    const std::int64_t now = allocated();
    while (most >= 0 && most < now && !most_allocated.compare_exchange_weak(most, now)) {
    }
  }
  return true;
}

namespace {

class MemoryBudgetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (allocated() == 0) {
      GTEST_SKIP() << "this allocator does not count";
    }
    write_model();
  }

  /// The tiny shape, but wide enough that buffers decide and not bookkeeping. Sees and has both
  /// kinds of layers.
  void write_model() {
    std::ifstream file(fs::path(NOLENS_SOURCE_DIR) / "tests" / "cli" / "tiny_preset.json");
    std::ostringstream text;
    text << file.rdbuf();
    std::string json = text.str();
    const std::array<std::pair<std::string, std::string>, 6> changes = {
        {{"\"hidden_size\": 64", "\"hidden_size\": 512"},
         {"\"intermediate_size\": 96", "\"intermediate_size\": 2048"},
         {"\"head_dim\": 16", "\"head_dim\": 128"},
         {"\"global_head_dim\": 32", "\"global_head_dim\": 256"},
         {"\"mm_embed_dim\": 64", "\"mm_embed_dim\": 512"},
         {"\"output_proj_dims\": 64", "\"output_proj_dims\": 512"}}};
    for (const auto& [from, to] : changes) {
      const std::size_t at = json.find(from);
      ASSERT_NE(at, std::string::npos) << from;
      json.replace(at, from.size(), to);
    }
    std::ofstream(folder_.path() / "preset.json") << json;
    SynthesizeOptions options;
    options.preset = (folder_.path() / "preset.json").string();
    options.out = folder_.path() / "model";
    options.format = "gguf";
    options.type = "q4_0";
    synthesize_model(options);
  }

  /// Of 1200 x 840 pixels, which become 280 tokens.
  static Image picture() {
    return Image::from_rgb8(1200, 840, std::vector<std::uint8_t>(std::size_t{1200} * 840 * 3, 77));
  }

  std::shared_ptr<const Model> load(bool exact = false) {
    return Model::load(folder_.path() / "model", {.num_threads = 2, .exact = exact});
  }

  /// Reads kContext tokens, in appends of `step`.
  static Session full_session(const std::shared_ptr<const Model>& model, KvCacheType kv,
                              std::int64_t step) {
    SessionOptions options;
    options.context_length = kContext;
    options.kv_cache = kv;
    Session session(model, options);
    const std::vector<TokenId> ids(static_cast<std::size_t>(step), 300);
    for (std::int64_t position = 0; position < kContext; position += step) {
      const std::int64_t left = std::min(step, kContext - position);
      session.append_ids(std::span(ids).first(static_cast<std::size_t>(left)));
    }
    return session;
  }

  TemporaryFolder folder_;
};

TEST_F(MemoryBudgetTest, PackedWeightsAreCounted) {
  const std::int64_t before = allocated();
  const auto exact = load(true);
  const std::int64_t beside = allocated() - before;  // tokenizer and the like
  const auto packed = load();
  const std::int64_t taken = allocated() - before - 2 * beside;
  const MemoryBudget budget = memory_budget(*packed, {.context_length = kContext});
  const MemoryBudget exact_budget =
      memory_budget(*exact, {.context_length = kContext, .kv_cache = KvCacheType::kF32});
  const std::int64_t counted = budget.weights_packed - exact_budget.weights_packed;
  ASSERT_GT(counted, 10'000'000);
  EXPECT_NEAR(static_cast<double>(counted) / static_cast<double>(taken), 1.0, kTolerance);
  // What was packed is not read from the file any more.
  EXPECT_NEAR(static_cast<double>(exact_budget.weights_mapped - budget.weights_mapped) /
                  static_cast<double>(counted),
              1.0, kTolerance);
}

TEST_F(MemoryBudgetTest, ASessionTakesWhatTheBudgetSays) {
  // An exact run multiplies gate and up one after the other, which takes a buffer more.
  const std::array<std::pair<bool, KvCacheType>, 4> runs = {{{false, KvCacheType::kF16},
                                                             {false, KvCacheType::kInt8},
                                                             {false, KvCacheType::kF32},
                                                             {true, KvCacheType::kF32}}};
  for (const auto& [exact, kv] : runs) {
    const auto model = load(exact);
    const std::int64_t before = allocated();
    // In the longest steps; a longer append would be cut into equal ones.
    const Session session = full_session(model, kv, MemoryUse{}.prefill_chunk);
    const auto taken = static_cast<double>(allocated() - before);
    const MemoryBudget budget = memory_budget(*model, {.context_length = kContext, .kv_cache = kv});
    EXPECT_EQ(budget.full_layers + budget.sliding_layers, session.kv_bytes());
    // What a layer held before it grew is gone by now.
    const auto counted = static_cast<double>(budget.total() - budget.weights() - budget.growth);
    EXPECT_NEAR(counted / taken, 1.0, kTolerance)
        << counted << " counted, " << taken << " allocated" << (exact ? ", exact" : "");
  }
}

TEST_F(MemoryBudgetTest, StepsOfAnySizeLeadToTheSameCache) {
  const auto model = load();
  const MemoryBudget budget = memory_budget(
      *model, {.context_length = kContext, .kv_cache = KvCacheType::kInt8, .prefill_chunk = 64});
  EXPECT_EQ(budget.full_layers + budget.sliding_layers,
            full_session(model, KvCacheType::kInt8, 64).kv_bytes());
}

TEST_F(MemoryBudgetTest, APictureTakesWhatTheBudgetSays) {
  const auto model = load();
  std::vector<ContentPart> parts{ImagePart{picture(), "picture", 0}};
  const MemoryBudget budget =
      memory_budget(*model, {.context_length = kContext, .picture_pixels = 1200 * 840});
  const std::int64_t before = allocated();
  scale_pictures(parts, *model);
  const auto scaled = static_cast<std::int64_t>(std::get<ImagePart>(parts[0]).image.rgb().size());
  EXPECT_NEAR(static_cast<double>(before - allocated()),
              1200.0 * 840 * 3 - static_cast<double>(scaled), 0.01 * 1200 * 840 * 3);
  const Prompt prompt = render_chat({testing::user(parts)}, {});
  Session session(model, {.context_length = kContext});
  session.append(prompt);
  session.rewind(0);  // all buffers of a session have their size
  const PeakMeter meter;
  session.append(prompt);
  EXPECT_NEAR(static_cast<double>(scaled + meter.growth()) / static_cast<double>(budget.picture),
              1.0, kTolerance)
      << budget.picture << " counted, " << scaled << " + " << meter.growth() << " allocated";
}

TEST_F(MemoryBudgetTest, ASessionKeepsNoPixelsAndNoSamples) {
  const auto model = load();
  Session session(model, {.context_length = kContext});
  const auto read = [&] {
    const AudioPart sound{{std::vector<float>(640 * 200)}, "sound"};
    session.append(render_chat({testing::user({ImagePart{picture(), "picture", 0}, sound})}, {}));
  };
  read();
  session.rewind(0);
  // All buffers of a session have their size; 3 and 0.5 million bytes come and go.
  const std::int64_t before = allocated();
  read();
  EXPECT_LT(allocated() - before, 40'000);
}

TEST_F(MemoryBudgetTest, APictureCountsWhileItIsDecoded) {
  const auto model = load();
  const MemoryUse text{.context_length = kContext};
  MemoryUse picture = text;
  picture.picture_pixels = 1'000'000;
  EXPECT_EQ(memory_budget(*model, text).picture, 0);
  EXPECT_EQ(memory_budget(*model, text).decoding, 0);
  const MemoryBudget budget = memory_budget(*model, picture);
  // 280 patches of 12 x 12 pixels.
  EXPECT_EQ(budget.decoding, 3'000'000 + 280 * 432);
  picture.picture_pixels = 2'000'000;
  EXPECT_EQ(memory_budget(*model, picture).decoding - budget.decoding, 3'000'000);
  EXPECT_EQ(memory_budget(*model, picture).total(), budget.total());
  // Most of all where nothing else is large.
  picture.picture_pixels = 50'000'000;
  EXPECT_EQ(memory_budget(*model, picture).total(), budget.weights() + 150'000'000 + 280 * 432);
  // What is smaller than the model's size stays as it is.
  picture.picture_pixels = 1000;
  EXPECT_EQ(budget.picture - memory_budget(*model, picture).picture, 280 * 432 - 3000);
  EXPECT_EQ(memory_budget(*model, picture).decoding, 3000);
  // A picture of more tokens than a step has rows makes the step longer.
  picture.image_tokens = 1120;
  picture.context_length = 4096;
  MemoryUse long_text = text;
  long_text.context_length = 4096;
  constexpr std::int64_t kSums = 2 * 384 * 4096;  // of two threads, for about as many rows at a time
  EXPECT_GT((memory_budget(*model, picture).activations - kSums) * 384,
            (memory_budget(*model, long_text).activations - kSums) * 1120 * 95 / 100);
}

TEST_F(MemoryBudgetTest, AnExactModelHasFloatsOnly) {
  const auto model = load(true);
  EXPECT_THROW(memory_budget(*model, {.context_length = 64, .kv_cache = KvCacheType::kInt8}),
               Error);
}

}  // namespace
}  // namespace nolens
