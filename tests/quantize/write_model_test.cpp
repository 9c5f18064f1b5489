#include "quantize/write_model.h"

#include <bit>
#include <cmath>
#include <deque>
#include <fstream>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/gguf/quantize_blocks.h"
#include "formats/nolens_file.h"
#include "formats/temporary_folder.h"
#include "kernels/reference/panel_value.h"
#include "kernels/reference/weight_value.h"
#include "quantize/block_codes.h"
#include "quantize/random_weight.h"

namespace nolens {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::make_weight;
using testing::RandomWeight;
using testing::ScaleShape;

std::string layer(const std::string& name) {
  return "model.language_model.layers.0." + name + ".weight";
}

/// Random tensors, written to a file and read again.
class WriteModel : public ::testing::Test {
 protected:
  RandomWeight& add(const std::string& name, DType dtype, std::int64_t rows, std::int64_t cols,
                    const ScaleShape& shape = {}) {
    RandomWeight& weight = weights_.emplace_back();
    make_weight(weight, dtype, rows, cols, static_cast<unsigned>(weights_.size()), shape);
    if (is_plain(dtype)) {
      fill_plain(weight);
    }
    TensorView view{name,
                    dtype,
                    {rows, cols},
                    weight.data.data(),
                    static_cast<std::int64_t>(weight.data.size()),
                    "source"};
    view.scales = weight.matrix.scales;
    views_.push_back(view);
    return weight;
  }

  static void fill_plain(RandomWeight& weight) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal(0.0F, 0.02F);
    std::vector<float> values(static_cast<std::size_t>(weight.matrix.rows * weight.matrix.cols));
    for (float& value : values) {
      value = normal(random);
    }
    quantize_row(weight.matrix.dtype, values, weight.data);
  }

  std::shared_ptr<const NolensFile> write(const TensorFormats& formats, int threads = 2) {
    const TensorStore store = TensorStore::from_views(views_, {}, nullptr);
    const std::vector<TensorPlan> plans = plan_tensors(store, formats);
    notes_ = plan_notes(plans);
    ThreadPool pool(threads);
    const std::string tokenizer = "{}";
    ModelDocuments documents{{{"name", "test"}}, {{std::string(kNolensTokenizer), tokenizer}}};
    bytes_ = write_model(path(), plans, documents, pool, {});
    EXPECT_EQ(static_cast<std::uintmax_t>(bytes_), std::filesystem::file_size(path()));
    auto file = NolensFile::open(path());
    file->verify({});
    return file;
  }

  [[nodiscard]] std::filesystem::path path() const { return folder_.path() / "m.nolens"; }

  static WeightMatrix find(const NolensFile& file, const std::string& name) {
    for (const TensorView& tensor : file.tensors()) {
      if (tensor.name == name) {
        return matrix_of(tensor);
      }
    }
    ADD_FAILURE() << "no " << name;
    return {};
  }

  static float value(const WeightMatrix& w, std::int64_t row, std::int64_t col) {
    return w.layout == WeightLayout::kPanels ? panel_value(w, row, col) : weight_value(w, row, col);
  }

  static void expect_equal(const WeightMatrix& found, const WeightMatrix& expected) {
    ASSERT_EQ(found.rows, expected.rows);
    ASSERT_EQ(found.cols, expected.cols);
    for (std::int64_t r = 0; r < found.rows; ++r) {
      for (std::int64_t c = 0; c < found.cols; ++c) {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(value(found, r, c)),
                  std::bit_cast<std::uint32_t>(value(expected, r, c)))
            << dtype_name(expected.dtype) << " at " << r << ", " << c;
      }
    }
  }

  TemporaryFolder folder_;
  std::deque<RandomWeight> weights_;
  std::vector<TensorView> views_;
  std::vector<std::string> notes_;
  std::int64_t bytes_ = 0;
};

TEST_F(WriteModel, KeepsEveryValueOfEveryFormat) {
  const auto name = [](std::size_t i) {
    return "model.language_model.layers." + std::to_string(i) + ".mlp.up_proj.weight";
  };
  for (std::size_t i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    add(name(i), dtype, 37, 512, {dtype == DType::kInt8 ? 512 : 64, false, 256, DType::kBf16});
  }
  add(name(100), DType::kNf4, 37, 512, {64, true, 256, DType::kBf16});
  add(name(101), DType::kNf4, 37, 72, {64, true, 256, DType::kF16});
  add(name(102), DType::kFp4, 33, 192, {128, true, 32, DType::kF32});
  const auto file = write({});
  ASSERT_EQ(file->tensors().size(), views_.size());
  for (std::size_t i = 0; i < views_.size(); ++i) {
    const WeightMatrix found = find(*file, views_[i].name);
    expect_equal(found, weights_[i].matrix);
    const bool has_panels = i < kDTypeCount ? !is_plain(found.dtype) && found.dtype != DType::kInt8
                                            : i != kDTypeCount + 1;
    EXPECT_EQ(found.layout == WeightLayout::kPanels, has_panels) << views_[i].name;
  }
  EXPECT_TRUE(find(*file, name(100)).scales->nested) << "nested scales stay in 8 bits";
  EXPECT_TRUE(notes_.empty());
}

TEST_F(WriteModel, RoundsAsTheQuantisersDo) {
  for (const DType dtype :
       {DType::kQ4_0, DType::kIQ4_NL, DType::kQ8_0, DType::kQ6_K, DType::kBf16}) {
    weights_.clear();
    views_.clear();
    const RandomWeight& source = add(layer("self_attn.q_proj"), DType::kF32, 50, 512);
    const auto file = write({.linear = dtype, .head = dtype});
    std::vector<float> values(50 * 512);
    std::memcpy(values.data(), source.data.data(), source.data.size());
    std::vector<std::byte> rows(static_cast<std::size_t>(row_bytes(dtype, 50 * 512)));
    quantize_row(dtype, values, rows);
    expect_equal(find(*file, layer("self_attn.q_proj")), {rows.data(), dtype, 50, 512});
  }
}

TEST_F(WriteModel, RoundsToCodesWithPlainAndNestedScales) {
  for (const DType dtype : {DType::kNf4, DType::kFp4}) {
    for (const bool nested : {false, true}) {
      weights_.clear();
      views_.clear();
      const RandomWeight& source = add(layer("mlp.down_proj"), DType::kBf16, 50, 320);
      const auto file = write({.linear = dtype, .head = dtype, .nested = nested});
      std::vector<float> values;
      for (std::int64_t i = 0; i < 50 * 320; ++i) {
        values.push_back(weight_value(source.matrix, i / 320, i % 320));
      }
      std::vector<float> absmax(values.size() / 64);
      find_absmax(values, absmax);
      std::vector<std::byte> codes(values.size() / 2);
      quantize_codes(dtype, values, absmax, codes);
      WeightScales scales;
      scales.codebook = codebook_of(dtype);
      scales.block_size = 64;
      scales.absmax = reinterpret_cast<const unsigned char*>(absmax.data());
      const NestedScales inner = nest_scales(absmax);
      const WeightMatrix found = find(*file, layer("mlp.down_proj"));
      EXPECT_EQ(found.scales->nested, nested);
      if (nested) {
        scales.nested = true;
        scales.absmax = inner.codes.data();
        scales.nested_absmax = reinterpret_cast<const unsigned char*>(inner.absmax.data());
        scales.nested_block_size = kNestedBlock;
        scales.nested_codebook = found.scales->nested_codebook;
        scales.nested_offset = inner.offset;
      }
      expect_equal(found, {codes.data(), dtype, 50, 320, &scales});
    }
  }
}

TEST_F(WriteModel, TellsHeadsMatricesAndTheRestApart) {
  add("model.language_model.embed_tokens.weight", DType::kBf16, 64, 256);
  add(layer("self_attn.q_proj"), DType::kBf16, 32, 256);
  add("model.vision_embedder.patch_dense.weight", DType::kBf16, 32, 256);
  add("model.embed_audio.embedding_projection.weight", DType::kF16, 32, 256);
  add(layer("input_layernorm"), DType::kF32, 1, 256);
  const auto file = write({.linear = DType::kNf4, .head = DType::kQ6_K});
  EXPECT_EQ(find(*file, "model.language_model.embed_tokens.weight").dtype, DType::kQ6_K);
  EXPECT_EQ(find(*file, layer("self_attn.q_proj")).dtype, DType::kNf4);
  EXPECT_EQ(find(*file, "model.vision_embedder.patch_dense.weight").dtype, DType::kBf16);
  EXPECT_EQ(find(*file, "model.embed_audio.embedding_projection.weight").dtype, DType::kF16);
  EXPECT_EQ(find(*file, layer("input_layernorm")).dtype, DType::kF32);
}

TEST_F(WriteModel, SaysWhatAWidthDoesNotAllow) {
  add(layer("self_attn.q_proj"), DType::kF32, 16, 96);
  add(layer("mlp.up_proj"), DType::kF32, 16, 40);
  add(layer("mlp.down_proj"), DType::kQ8_0, 16, 64);
  const auto file = write({.linear = DType::kNf4, .head = DType::kNf4});
  EXPECT_EQ(find(*file, layer("self_attn.q_proj")).dtype, DType::kQ8_0);
  EXPECT_EQ(find(*file, layer("mlp.up_proj")).dtype, DType::kF32);
  EXPECT_EQ(find(*file, layer("mlp.down_proj")).dtype, DType::kNf4);
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("written as F32"), HasSubstr("written as Q8_0"),
                                  HasSubstr("lose accuracy a second time")));
}

TEST_F(WriteModel, WritesTheSameBytesWithAnyNumberOfThreads) {
  add(layer("self_attn.q_proj"), DType::kBf16, 200, 1024);
  add(layer("self_attn.k_proj"), DType::kQ5_K, 200, 1024);
  write({.linear = DType::kNf4, .head = DType::kNf4, .nested = true}, 1);
  const std::string one = content_of(path());
  write({.linear = DType::kNf4, .head = DType::kNf4, .nested = true}, 3);
  EXPECT_EQ(content_of(path()), one);
}

TEST_F(WriteModel, PutsMatricesOnPages) {
  add(layer("self_attn.q_proj"), DType::kBf16, 100, 1024);
  add(layer("self_attn.k_proj"), DType::kBf16, 48, 64);
  add(layer("input_layernorm"), DType::kF32, 1, 100);
  const auto file = write({.linear = DType::kQ4_0, .head = DType::kQ4_0});
  for (const TensorView& tensor : file->tensors()) {
    if (tensor.layout == WeightLayout::kPanels) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data) % 4096, 0U) << tensor.name;
    }
  }
}

TEST_F(WriteModel, LeavesTheOldFileWhereAWeightIsNotFinite) {
  const auto old = folder_.add("m.nolens", "old");
  for (const std::optional<DType> format : {std::optional<DType>{}, std::optional(DType::kNf4)}) {
    weights_.clear();
    views_.clear();
    RandomWeight& weight = add(layer("self_attn.q_proj"), DType::kF32, 40, 64);
    const float bad = NAN;
    std::memcpy(weight.data.data() + 4 * 1234, &bad, 4);
    const std::string message = model_error_of([&] { write({.linear = format, .head = format}); });
    EXPECT_THAT(message, HasSubstr("q_proj"));
    EXPECT_EQ(content_of(old), "old");
    EXPECT_THAT(folder_.names(), ElementsAre("m.nolens"));
  }
}

TEST_F(WriteModel, StopsWhereTheCallerThrows) {
  add(layer("self_attn.q_proj"), DType::kF32, 40, 64);
  const TensorStore store = TensorStore::from_views(views_, {}, nullptr);
  ThreadPool pool(1);
  const WriteOptions options{
      .progress = [](double) { throw Error(ErrorCode::kInterrupted, "stop"); }};
  EXPECT_EQ(error_of(ErrorCode::kInterrupted,
                     [&] {
                       write_model(path(), plan_tensors(store, {.linear = DType::kNf4}), {}, pool,
                                   options);
                     }),
            "stop");
  EXPECT_TRUE(folder_.names().empty());
}

}  // namespace
}  // namespace nolens
