#include "hub/digest.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace nolens::hub {
namespace {

std::string digest_of(std::unique_ptr<Digest> digest, std::string_view text) {
  digest->update(std::as_bytes(std::span(text.data(), text.size())));
  return digest->finish();
}

// Vectors of FIPS 180-4's examples.
TEST(Digest, KnownValues) {
  EXPECT_EQ(digest_of(make_sha256(), ""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_of(make_sha256(), "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest_of(make_sha256(), "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest_of(make_sha256(), std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(digest_of(make_sha1(), ""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(digest_of(make_sha1(), "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(digest_of(make_sha1(), std::string(1'000'000, 'a')),
            "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST(Digest, GitNamesItsFilesByIt) {
  // git hash-object: an empty file, and "hello\n"
  EXPECT_EQ(digest_of(make_git_blob_sha1(0), ""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  EXPECT_EQ(digest_of(make_git_blob_sha1(6), "hello\n"),
            "ce013625030ba8dba906f756967f9e9ca394464a");
}

TEST(Digest, DoesNotDependOnThePieces) {
  std::mt19937 random(7);
  for (std::size_t size = 0; size < 300; ++size) {
    std::vector<std::byte> bytes(size);
    std::generate(bytes.begin(), bytes.end(),
                  [&] { return static_cast<std::byte>(random() & 255U); });
    for (const auto make : {make_sha256, make_sha1}) {
      const auto whole = make();
      whole->update(bytes);
      const auto pieces = make();
      std::span<const std::byte> rest(bytes);
      while (!rest.empty()) {
        const std::size_t take = std::min<std::size_t>(rest.size(), 1 + random() % 90);
        pieces->update(rest.first(take));
        rest = rest.subspan(take);
      }
      ASSERT_EQ(whole->finish(), pieces->finish()) << size;
    }
  }
}

}  // namespace
}  // namespace nolens::hub
