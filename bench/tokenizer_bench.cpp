// Speed of encoding and decoding, in bytes of text a second on one thread, and of loading.
//
//   NOLENS_TOKENIZER=tokenizer.json [NOLENS_TEXT=file] tokenizer_bench
//
// Without NOLENS_TEXT, three built-in texts are repeated to 1 MiB. Before it is timed, each text is
// encoded and decoded and must come back unchanged.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "nolens/error.h"
#include "nolens/tokenizer.h"

namespace nolens::bench {
namespace {

constexpr std::size_t kTextBytes = 1U << 20U;

constexpr const char* kProse =
    "The tide had gone out further than anyone could remember, and the boats lay on their sides in "
    "the mud like sleeping cattle. \"It's only the moon,\" said Maria; she had read 3 books about "
    "it, or 4.\n\n";
constexpr const char* kCode =
    "template <typename T>\nstd::optional<T> find(const std::map<std::string, T>& map,\n"
    "                      const std::string& key) {\n  const auto it = map.find(key);\n"
    "  if (it == map.end()) {\n    return std::nullopt;  // not an error\n  }\n"
    "  return it->second;\n}\n\n";
constexpr const char* kManyScripts =
    "Übermäßig große Häuser. Où est la bibliothèque ? Где находится библиотека? 图书馆在哪里？ "
    "図書館はどこですか。 도서관이 어디에 있습니까? أين تقع المكتبة؟ पुस्तकालय कहाँ है? ห้องสมุดอยู่ที่ไหน "
    "📚🙂\n";

std::string repeated(const std::string& text) {
  std::string result;
  while (result.size() < kTextBytes) {
    result += text;
  }
  return result;
}

std::vector<std::pair<std::string, std::string>> texts() {
  if (const char* const file = std::getenv("NOLENS_TEXT"); file != nullptr) {
    std::ifstream in(file, std::ios::binary);
    return {{"file", std::string((std::istreambuf_iterator<char>(in)), {})}};
  }
  return {{"prose", repeated(kProse)},
          {"code", repeated(kCode)},
          {"many_scripts", repeated(kManyScripts)},
          {"one_letter", std::string(kTextBytes, 'a')},
          {"newlines", std::string(kTextBytes, '\n')}};
}

void encode(benchmark::State& state, const Tokenizer& tokenizer, const std::string& text) {
  std::vector<TokenId> ids = tokenizer.encode(text);
  if (tokenizer.decode(ids) != text) {
    state.SkipWithError("the decoded text differs from the text");
    return;
  }
  for (auto _ : state) {
    ids.clear();
    tokenizer.encode(text, ParseSpecial::kNo, ids);
    benchmark::DoNotOptimize(ids.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  state.counters["bytes_per_token"] =
      static_cast<double>(text.size()) / static_cast<double>(ids.size());
}

void decode(benchmark::State& state, const Tokenizer& tokenizer, const std::string& text) {
  const std::vector<TokenId> ids = tokenizer.encode(text);
  for (auto _ : state) {
    const std::string decoded = tokenizer.decode(ids);
    benchmark::DoNotOptimize(decoded.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void load(benchmark::State& state, const std::string& file) {
  for (auto _ : state) {
    const Tokenizer tokenizer = Tokenizer::load(file);
    benchmark::DoNotOptimize(tokenizer.size());
  }
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const char* const file = std::getenv("NOLENS_TOKENIZER");
  if (file == nullptr) {
    std::fprintf(stderr, "NOLENS_TOKENIZER must name a tokenizer.json\n");
    return exit_code(ErrorCode::kUsage);
  }
  const Tokenizer tokenizer = Tokenizer::load(file);
  const auto named_texts = texts();
  for (const auto& [name, text] : named_texts) {
    benchmark::RegisterBenchmark(("encode/" + name).c_str(), encode, std::cref(tokenizer),
                                 std::cref(text));
    benchmark::RegisterBenchmark(("decode/" + name).c_str(), decode, std::cref(tokenizer),
                                 std::cref(text));
  }
  benchmark::RegisterBenchmark("load", load, std::string(file))->Unit(benchmark::kMillisecond);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace nolens::bench

int main(int argc, char** argv) {
  try {
    return nolens::bench::run(argc, argv);
  } catch (const nolens::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return nolens::exit_code(error.code());
  }
}
