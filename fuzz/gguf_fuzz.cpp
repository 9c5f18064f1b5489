// The bytes of a GGUF file: container, then configuration and vocabulary. What is accepted must
// have tensors inside the file, sizes that can be added up, and a tokenizer that encodes any text
// to ids it knows.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "nolens/error.h"
#include "nolens/tokenizer.h"

#include "formats/gguf/gguf_config.h"
#include "formats/gguf/gguf_config_parts.h"
#include "formats/gguf/gguf_file.h"
#include "formats/tensor_specs.h"
#include "text/gguf_vocabulary.h"

namespace {

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

/// Runs a step that may refuse the input, but only with an Error.
template <typename Step>
void attempt(const Step& step) {
  try {
    step();
  } catch (const nolens::Error&) {  // the only way to refuse a file
  }
}

void check_container(const nolens::GgufFile& file) {
  const auto size = static_cast<std::int64_t>(file.bytes().size());
  for (const nolens::GgufTensor& tensor : file.tensors()) {
    require(tensor.begin >= 0 && tensor.bytes > 0 && tensor.bytes <= size - tensor.begin);
    require(file.find_tensor(tensor.name) == &tensor);
  }
  for (const auto& [key, value] : file.metadata()) {
    const auto texts = value.texts();
    const auto reals = value.reals();
    const auto integers = value.integers();
    require(file.find(key) == &value && !value.describe().empty());
    require(!texts || static_cast<std::int64_t>(texts->size()) == value.count());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  attempt([&] {
    const nolens::GgufFile file = nolens::GgufFile::parse(bytes, "fuzz.gguf");
    check_container(file);
    attempt([&] {
      const nolens::GgufSet set = nolens::GgufSet::from_bytes(bytes, "fuzz.gguf");
      if (nolens::is_mmproj(file)) {
        nolens::ModelConfig config;
        nolens::read_mmproj(set, config);
        return;
      }
      const nolens::ModelConfig config = nolens::read_gguf_config(set, nullptr);
      require(nolens::count_parameters(nolens::tensor_specs(config)) > 0);
    });
    attempt([&] {
      const auto tokenizer = nolens::Tokenizer::from_data(nolens::gguf_vocabulary(file));
      for (const nolens::TokenId id : tokenizer.encode("<bos>ab  a\n\xC3\xA9\xFF<table>")) {
        require(id >= 0 && id < tokenizer.size());
      }
    });
  });
  return 0;
}
