// Stored blocks and their values, made with the gguf and bitsandbytes packages
// (tests/reference/make_block_goldens.py): every table gives the same bits.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>

#include <gtest/gtest.h>

#include "formats/safetensors.h"
#include "formats/tensor_store.h"
#include "formats/tensor_values.h"
#include "kernels/kernel_test_support.h"
#include "platform/mapped_file.h"

namespace nolens {
namespace {

class GoldenBlocks : public TableTest {};
NOLENS_FOR_EVERY_TABLE(GoldenBlocks);

std::filesystem::path golden(const char* name) {
  return std::filesystem::path(NOLENS_SOURCE_DIR) / "tests" / "golden" / "blocks" / name;
}

std::vector<float> floats_at(const std::byte* data, std::int64_t bytes) {
  std::vector<float> values(static_cast<std::size_t>(bytes / 4));
  std::memcpy(values.data(), data, static_cast<std::size_t>(bytes));
  return values;
}

/// All rows by the table's expand; each also in two parts.
void expect_values(const KernelTable& table, const WeightMatrix& w,
                   const std::vector<float>& expected, const std::string& what) {
  ASSERT_EQ(static_cast<std::int64_t>(expected.size()), w.rows * w.cols) << what;
  const KernelTable::Expand expand = table.expand[static_cast<std::size_t>(w.dtype)];
  const StoredRows stored(w);
  std::vector<float> whole(expected.size());
  std::vector<float> parts(expected.size());
  std::vector<float> reference(expected.size());
  const std::int64_t middle = w.cols / block_size(w.dtype) / 2 * block_size(w.dtype);
  for (std::int64_t row = 0; row < w.rows; ++row) {
    expand(stored.rows(), row, 0, w.cols, 1.0F, whole.data() + row * w.cols);
    expand(stored.rows(), row, 0, middle, 1.0F, parts.data() + row * w.cols);
    expand(stored.rows(), row, middle, w.cols - middle, 1.0F, parts.data() + row * w.cols + middle);
    for (std::int64_t col = 0; col < w.cols; ++col) {
      reference[static_cast<std::size_t>(row * w.cols + col)] = weight_value(w, row, col);
    }
  }
  EXPECT_TRUE(same_bits(whole, expected)) << what;
  EXPECT_TRUE(same_bits(parts, expected)) << what << " in two parts";
  EXPECT_TRUE(same_bits(reference, expected)) << what << " by the reference";
}

TEST_P(GoldenBlocks, BlocksOfGgufHaveTheirExactValues) {
  const MappedFile file(golden("gguf.safetensors"), ErrorCode::kInput);
  std::map<std::string, SafetensorsEntry> entries;
  for (const SafetensorsEntry& entry :
       parse_safetensors_header(file.bytes(), "gguf.safetensors").tensors) {
    entries[entry.name] = entry;
  }
  int types = 0;
  for (const DType dtype : kAllDTypes) {
    for (const char* source : {".random", ".quantised"}) {
      const std::string name = std::string(dtype_name(dtype)) + source;
      const auto found = entries.find(name + ".bytes");
      if (found == entries.end()) {
        continue;
      }
      types += source == std::string(".random") ? 1 : 0;
      const SafetensorsEntry& values = entries.at(name + ".values");
      const WeightMatrix w{file.bytes().data() + found->second.begin, dtype, values.shape[0],
                           values.shape[1]};
      ASSERT_EQ(w.bytes(), found->second.end - found->second.begin) << name;
      expect_values(table(), w,
                    floats_at(file.bytes().data() + values.begin, values.end - values.begin), name);
    }
  }
  EXPECT_EQ(types, 9);
}

TEST_P(GoldenBlocks, WeightsOfBitsAndBytesHaveTheirExactValues) {
  const TensorStore store = TensorStore::open_file(golden("bitsandbytes.safetensors"));
  EXPECT_TRUE(store.ignored().empty());
  int weights = 0;
  for (const TensorView& tensor : store.tensors()) {
    if (!tensor.name.ends_with(".weight")) {
      continue;
    }
    ++weights;
    const std::string name = tensor.name.substr(0, tensor.name.size() - 7);
    const TensorView* values = store.find(name + ".values");
    ASSERT_NE(values, nullptr) << name;
    EXPECT_EQ(tensor.shape, values->shape) << name;
    expect_values(table(), weight_matrix(store, tensor.name),
                  floats_at(values->data, values->bytes), name);
  }
  EXPECT_EQ(weights, (4 + 3) * 2 * 3 + 3);
}

}  // namespace
}  // namespace nolens
