#include "formats/bitsandbytes.h"

#include <functional>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/finite.h"
#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// A checkpoint's tensors by name, to be varied.
struct Stored {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::string bytes;
};
using Checkpoint = std::map<std::string, Stored>;

std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), 4 * values.size()};
}

std::vector<float> ramp(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(i) / 16.0F - 0.5F;
  }
  return values;
}

/// Shape [5, 26], blocks of 64: three of them, the last one short.
Checkpoint four_bits() {
  return {
      {"a.weight", {"U8", {65, 1}, std::string(65, '\x21')}},
      {"a.weight.absmax", {"F32", {3}, floats({1, 2, 3})}},
      {"a.weight.quant_map", {"F32", {16}, floats(ramp(16))}},
      {"a.weight.quant_state.bitsandbytes__nf4",
       {"U8", {70}, R"({"quant_type":"nf4","blocksize":64,"dtype":"bfloat16","shape":[5,26]})"}},
      {"b.weight", {"F32", {1}, floats({7})}},
      {"steps", {"I64", {1}, std::string(8, '\0')}}};
}

Checkpoint nested() {
  Checkpoint c = four_bits();
  c["a.weight.absmax"] = {"U8", {3}, std::string("\x01\x02\xff", 3)};
  c["a.weight.nested_absmax"] = {"F32", {1}, floats({2})};
  c["a.weight.nested_quant_map"] = {"F32", {256}, floats(ramp(256))};
  c["a.weight.quant_state.bitsandbytes__nf4"].bytes =
      R"({"quant_type":"nf4","blocksize":64,"dtype":"float32","shape":[5,26],)"
      R"("nested_blocksize":256,"nested_dtype":"float32","nested_offset":0.25})";
  return c;
}

Checkpoint int8() {
  return {{"a.weight", {"I8", {2, 3}, std::string("\x01\x02\x03\xff\xfe\xfd", 6)}},
          {"a.SCB", {"F32", {2}, floats({4, 5})}},
          {"a.weight_format", {"U8", {}, std::string(1, '\0')}}};
}

/// Keeps the bytes that the views lead to.
struct Resolved {
  Checkpoint checkpoint;
  std::vector<TensorView> tensors;
  std::vector<RawTensor> raw;
  ScalesList scales;

  explicit Resolved(Checkpoint source) : checkpoint(std::move(source)) {
    for (const auto& [name, stored] : checkpoint) {
      const auto* data = reinterpret_cast<const std::byte*>(stored.bytes.data());
      const auto bytes = static_cast<std::int64_t>(stored.bytes.size());
      if (stored.dtype == "F32") {
        tensors.push_back({name, DType::kF32, stored.shape, data, bytes, "f"});
      } else {
        raw.push_back({name, stored.dtype, stored.shape, data, bytes, "f"});
      }
    }
    scales = resolve_bitsandbytes(tensors, raw);
  }
  [[nodiscard]] const TensorView& find(const std::string& name) const {
    for (const TensorView& tensor : tensors) {
      if (tensor.name == name) {
        return tensor;
      }
    }
    throw std::runtime_error("no tensor " + name);
  }
};

std::string refusal(Checkpoint checkpoint, const std::function<void(Checkpoint&)>& change) {
  change(checkpoint);
  return model_error_of([&] { Resolved{checkpoint}; });
}

void replace_in_state(Checkpoint& c, const std::string& from, const std::string& to) {
  std::string& text = c.at("a.weight.quant_state.bitsandbytes__nf4").bytes;
  text.replace(text.find(from), from.size(), to);
}

TEST(BitsAndBytes, FourBitWeightsBecomeOneTensorAndTheOthersStay) {
  const Resolved r(four_bits());
  ASSERT_EQ(r.tensors.size(), 2U);
  ASSERT_EQ(r.raw.size(), 1U);
  EXPECT_EQ(r.raw[0].name, "steps");
  EXPECT_EQ(r.find("b.weight").dtype, DType::kF32);
  const TensorView& a = r.find("a.weight");
  EXPECT_EQ(a.dtype, DType::kNf4);
  EXPECT_EQ(a.shape, (std::vector<std::int64_t>{5, 26}));
  EXPECT_EQ(a.bytes, 65);
  EXPECT_EQ(a.file, "f");
  ASSERT_NE(a.scales, nullptr);
  EXPECT_EQ(a.scales->block_size, 64);
  EXPECT_EQ(a.scales->value_dtype, DType::kBf16);
  EXPECT_EQ(a.scales->codebook[15], 0.4375F);
  EXPECT_FALSE(a.scales->nested);
  EXPECT_FALSE(find_nonfinite(a).has_value());
}

TEST(BitsAndBytes, ReadsNestedScales) {
  const Resolved r(nested());
  ASSERT_EQ(r.tensors.size(), 2U);
  const WeightScales& scales = *r.find("a.weight").scales;
  EXPECT_TRUE(scales.nested);
  EXPECT_EQ(scales.nested_block_size, 256);
  EXPECT_EQ(scales.nested_offset, 0.25F);
  EXPECT_EQ(scales.nested_codebook[255], 15.4375F);
  EXPECT_EQ(scales.value_dtype, DType::kF32);
}

TEST(BitsAndBytes, CodesMayBeStoredUnderAnotherType) {
  Checkpoint c = four_bits();
  c["a.weight"] = {"F32", {16, 1}, std::string(64, '\x21')};
  replace_in_state(c, "[5,26]", "[4,32]");
  c["a.weight.absmax"] = {"F32", {2}, floats({1, 2})};
  const Resolved r(c);
  EXPECT_EQ(r.find("a.weight").dtype, DType::kNf4);
  EXPECT_EQ(r.find("a.weight").bytes, 64);
}

TEST(BitsAndBytes, Int8RowsBecomeOneTensor) {
  for (const bool with_format : {true, false}) {
    Checkpoint c = int8();
    if (!with_format) {
      c.erase("a.weight_format");
    }
    const Resolved r(c);
    ASSERT_EQ(r.tensors.size(), 1U);
    EXPECT_TRUE(r.raw.empty());
    EXPECT_EQ(r.tensors[0].dtype, DType::kInt8);
    EXPECT_EQ(r.tensors[0].shape, (std::vector<std::int64_t>{2, 3}));
  }
}

TEST(BitsAndBytes, ScalesThatAreNotFiniteAreFound) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Checkpoint c = four_bits();
  c["a.weight.absmax"].bytes = floats({1, nan, 3});
  const Resolved broken(c);
  EXPECT_EQ(find_nonfinite(broken.find("a.weight")), 64);
  EXPECT_THAT(model_error_of([&] { check_finite(broken.find("a.weight")); }),
              AllOf(HasSubstr("'a.weight' has NaN"), HasSubstr("element 64")));
  c = nested();
  c["a.weight.nested_absmax"].bytes = floats({3e38F});
  const Resolved large(c);  // 3e38 times an entry of the map overflows from block 2 on
  EXPECT_EQ(find_nonfinite(large.find("a.weight")), 128);
  c = int8();
  c["a.SCB"].bytes = floats({4, -std::numeric_limits<float>::infinity()});
  const Resolved rows(c);
  EXPECT_EQ(find_nonfinite(rows.tensors[0]), 3);
}

TEST(BitsAndBytes, RefusesMissingAndContradictoryParts) {
  for (const char* part : {"absmax", "quant_map"}) {
    EXPECT_THAT(
        refusal(four_bits(), [&](Checkpoint& c) { c.erase(std::string("a.weight.") + part); }),
        AllOf(HasSubstr(std::string("a.weight.") + part), HasSubstr("is missing")));
  }
  for (const char* part : {"nested_absmax", "nested_quant_map"}) {
    EXPECT_THAT(refusal(nested(), [&](Checkpoint& c) { c.erase(std::string("a.weight.") + part); }),
                AllOf(HasSubstr(std::string("a.weight.") + part), HasSubstr("is missing")));
  }
  EXPECT_THAT(refusal(four_bits(), [](Checkpoint& c) { c.erase("a.weight"); }),
              HasSubstr("'a.weight' is missing"));
  EXPECT_THAT(refusal(four_bits(), [](Checkpoint& c) { c["a.weight"].bytes.pop_back(); }),
              HasSubstr("must have 65 bytes for the shape [5, 26], found 64"));
  EXPECT_THAT(refusal(four_bits(), [](Checkpoint& c) { c["a.weight.absmax"].bytes.resize(8); }),
              HasSubstr("must be F32 with 3 values"));
  EXPECT_THAT(refusal(nested(), [](Checkpoint& c) { c["a.weight.absmax"].bytes += 'x'; }),
              HasSubstr("must be U8 with 3 values"));
  EXPECT_THAT(refusal(four_bits(), [](Checkpoint& c) { c["a.weight.quant_map"].bytes.resize(60); }),
              HasSubstr("must be F32 with 16 values"));
  EXPECT_THAT(
      refusal(nested(), [](Checkpoint& c) { c["a.weight.nested_quant_map"].bytes.resize(64); }),
      HasSubstr("must be F32 with 256 values"));
  EXPECT_THAT(refusal(nested(), [](Checkpoint& c) { c["a.weight.nested_absmax"].bytes.clear(); }),
              HasSubstr("must be F32 with 1 values"));
  EXPECT_THAT(refusal(four_bits(),
                      [](Checkpoint& c) {
                        c["a.weight.quant_map"].bytes =
                            floats(std::vector<float>(16, std::numeric_limits<float>::infinity()));
                      }),
              HasSubstr("not finite"));
  EXPECT_THAT(refusal(four_bits(),
                      [](Checkpoint& c) {
                        c["z.weight.quant_state.bitsandbytes__int3"] = {"U8", {2}, "{}"};
                      }),
              HasSubstr("'int3', supported are nf4 and fp4"));
}

TEST(BitsAndBytes, RefusesABadState) {
  const auto with = [](const std::string& from, const std::string& to) {
    return refusal(four_bits(), [&](Checkpoint& c) { replace_in_state(c, from, to); });
  };
  EXPECT_THAT(with("64", "63"), AllOf(HasSubstr("blocksize is 63"), HasSubstr("power of two")));
  EXPECT_THAT(with("64", "8192"), HasSubstr("blocksize"));
  EXPECT_THAT(with("64", "-64"), HasSubstr("blocksize"));
  EXPECT_THAT(with("64", "1e400"), HasSubstr("quant_state"));
  EXPECT_THAT(with("\"blocksize\":64,", ""), HasSubstr("blocksize"));
  EXPECT_THAT(with("bfloat16", "float64"), HasSubstr("\"bfloat16\", \"float16\" or \"float32\""));
  EXPECT_THAT(with("\"nf4\"", "\"fp4\""), HasSubstr("as in the tensor's name"));
  for (const char* shape : {"[5]", "[5,26,1]", "[0,26]", "[-5,26]", "[26,5]", "null", "[]",
                            "[4611686018427387904,4]"}) {
    EXPECT_THAT(with("[5,26]", shape), HasSubstr("two positive sizes, the second even")) << shape;
  }
  EXPECT_THAT(with("}", ""), HasSubstr("quant_state"));
  EXPECT_THAT(
      refusal(four_bits(),
              [](Checkpoint& c) { c["a.weight.quant_state.bitsandbytes__nf4"].bytes = "[1]"; }),
      HasSubstr("quant_state"));
  for (const auto& [from, to] :
       {std::pair{"0.25", "1e39"}, std::pair{"0.25", "null"}, std::pair{"256", "100"},
        std::pair{"\"nested_dtype\":\"float32\"", "\"nested_dtype\":\"float16\""}}) {
    EXPECT_THAT(refusal(nested(), [&](Checkpoint& c) { replace_in_state(c, from, to); }),
                HasSubstr("nested_"))
        << from;
  }
}

TEST(BitsAndBytes, RefusesBadInt8Rows) {
  EXPECT_THAT(refusal(int8(), [](Checkpoint& c) { c.erase("a.weight"); }),
              AllOf(HasSubstr("must be an I8 matrix"), HasSubstr("found nothing")));
  EXPECT_THAT(refusal(int8(), [](Checkpoint& c) { c["a.weight"].dtype = "U8"; }),
              HasSubstr("found U8 [2, 3]"));
  EXPECT_THAT(refusal(int8(), [](Checkpoint& c) { c["a.weight"].shape = {6}; }),
              HasSubstr("must be an I8 matrix"));
  EXPECT_THAT(refusal(int8(), [](Checkpoint& c) { c["a.SCB"].bytes = floats({1}); }),
              HasSubstr("must be F32 with 2 values"));
  EXPECT_THAT(refusal(int8(), [](Checkpoint& c) { c["a.weight_format"].bytes = "\x02"; }),
              HasSubstr("other layouts are not supported"));
}

}  // namespace
}  // namespace nolens
