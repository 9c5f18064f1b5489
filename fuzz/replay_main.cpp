// Runs a fuzz target over files, with any compiler: how corpora become ordinary tests.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

int replay(const std::filesystem::path& folder) {
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) {
      continue;
    }
    std::ifstream in(entry.path(), std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
    // A copy of exactly this size lets the address sanitizer see a read past its end.
    const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
    try {
      LLVMFuzzerTestOneInput(exact.data(), exact.size());
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: escaped exception: %s\n", entry.path().c_str(), error.what());
      return 1;
    }
    ++files;
  }
  std::printf("%d inputs replayed\n", files);
  return files > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
    return 2;
  }
  return replay(argv[1]);
}
