// The environment, the cache on the disk, partial files and locks.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <unistd.h>

#include <gtest/gtest.h>

#include "nolens/error.h"
#include "nolens/hub.h"

#include "hub/cache_layout.h"
#include "hub/disk.h"
#include "hub/file_lock.h"
#include "hub/partial_file.h"

namespace nolens::hub {
namespace {

namespace fs = std::filesystem;

class HubStorage : public testing::Test {
 protected:
  HubStorage() : folder_(fs::temp_directory_path() / ("nolens-hub-" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~HubStorage() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  static void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  fs::path folder_;
};

const std::string kCommit(40, 'c');
// sha256 and git hash-object of "hello\n"
const std::string kSha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
const std::string kGitSha1 = "ce013625030ba8dba906f756967f9e9ca394464a";
const RepoFile kFile{"sub/hello.txt", 6, kGitSha1, kSha256};

void append(PartialFile& file, std::string_view text) {
  file.append(std::as_bytes(std::span(text.data(), text.size())));
}

TEST_F(HubStorage, APartialFileGoesOnWhereItWas) {
  const fs::path path = folder_ / "x.incomplete";
  for (const Expected& expected : {Expected{6, kSha256, {}}, Expected{6, {}, kGitSha1}}) {
    {
      PartialFile file(path, expected, [] {});
      append(file, "hel");
    }
    PartialFile file(path, expected, [] {});
    EXPECT_EQ(file.size(), 3);
    append(file, "lo\n");
    ASSERT_TRUE(file.is_complete());
    EXPECT_TRUE(file.is_correct());
    file.move_to(folder_ / "x");
    EXPECT_EQ(read(folder_ / "x"), "hello\n");
    EXPECT_FALSE(fs::exists(path));
  }
}

TEST_F(HubStorage, APartialFileOfOtherBytesIsFoundOut) {
  const fs::path path = folder_ / "x.incomplete";
  write(path, "hel");
  PartialFile file(path, {6, kSha256, {}}, [] {});
  append(file, "LO\n");
  EXPECT_FALSE(file.is_correct());
}

TEST_F(HubStorage, WithoutAChecksumNothingOldIsKept) {
  write(folder_ / "x", "hel");
  PartialFile file(folder_ / "x", {6, {}, {}}, [] {});
  EXPECT_EQ(file.size(), 0);
}

TEST_F(HubStorage, APartialFileIsNoLink) {
  write(folder_ / "precious", "precious");
  fs::create_symlink("precious", folder_ / "x");
  EXPECT_THROW(PartialFile(folder_ / "x", {6, kSha256, {}}, [] {}), Error);
  EXPECT_EQ(read(folder_ / "precious"), "precious");
}

TEST_F(HubStorage, PublishedFilesAreRelativeLinksAndFound) {
  HubSettings settings;
  settings.cache = folder_;
  const CacheStorage storage(folder_, "org/name", "main", kCommit, true);
  const FilePlaces places = storage.places(kFile, kSha256);
  EXPECT_FALSE(storage.has(kFile, kSha256));
  write(places.complete, "hello\n");
  EXPECT_TRUE(storage.has(kFile, kSha256));
  storage.publish(kFile, kSha256);
  EXPECT_EQ(fs::read_symlink(places.visible), "../../../blobs/" + kSha256);
  EXPECT_FALSE(find_in_hub_cache(settings, {"org/name", {}}));
  storage.finish();
  EXPECT_EQ(read(folder_ / "models--org--name" / "refs" / "main"), kCommit);
  EXPECT_EQ(find_in_hub_cache(settings, {"org/name", {}}), storage.folder());
  EXPECT_EQ(find_in_hub_cache(settings, {"org/name", "sub/hello.txt"}), places.visible);
  EXPECT_FALSE(find_in_hub_cache(settings, {"org/name", "other.txt"}));
  EXPECT_FALSE(find_in_hub_cache(settings, {"org/name", "../../../precious"}));
  EXPECT_FALSE(find_in_hub_cache(settings, {"org/name", {}}, "v1"));
  EXPECT_EQ(find_in_hub_cache(settings, {"org/name", {}}, kCommit), storage.folder());
}

TEST_F(HubStorage, WithoutLinksTheSnapshotHoldsTheBytes) {
  const CacheStorage storage(folder_, "org/name", "main", kCommit, false);
  write(storage.places(kFile, kSha256).complete, "hello\n");
  storage.publish(kFile, kSha256);
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(storage.places(kFile, kSha256).visible)));
  EXPECT_TRUE(storage.has(kFile, kSha256));
  storage.publish(kFile, kSha256);
  EXPECT_EQ(read(storage.places(kFile, kSha256).visible), "hello\n");
}

TEST_F(HubStorage, ASnapshotOfOneGgufIsThatFile) {
  HubSettings settings;
  settings.cache = folder_;
  const fs::path repo = folder_ / "models--org--name";
  const fs::path snapshot = repo / "snapshots" / kCommit;
  write(repo / "refs" / "main", kCommit);
  write(snapshot / "mmproj-F16.gguf", "");
  write(snapshot / "model-Q4_0.gguf", "");
  EXPECT_EQ(find_in_hub_cache(settings, {"org/name", {}}), snapshot / "model-Q4_0.gguf");
  write(snapshot / "model-Q8_0.gguf", "");
  EXPECT_EQ(find_in_hub_cache(settings, {"org/name", {}}), snapshot);
}

TEST_F(HubStorage, APlainFolderNotesWhatItHolds) {
  const FolderStorage storage(folder_, kCommit);
  const FilePlaces places = storage.places(kFile, kSha256);
  // base64.urlsafe_b64encode(hashlib.sha1(b"hello.txt.metadata").digest())
  EXPECT_EQ(places.incomplete.filename(),
            "mrvIufXtH-bBvDMByMj83ssY1fg=." + kSha256 + ".incomplete");
  EXPECT_EQ(places.lock, folder_ / ".cache/huggingface/download/sub/hello.txt.lock");
  EXPECT_FALSE(storage.is_occupied(kFile));
  write(places.complete, "hello\n");
  EXPECT_TRUE(storage.is_occupied(kFile));
  EXPECT_FALSE(storage.has(kFile, kSha256));
  storage.publish(kFile, kSha256);
  EXPECT_TRUE(storage.has(kFile, kSha256));
  EXPECT_FALSE(storage.is_occupied(kFile));
  EXPECT_FALSE(storage.has(kFile, "another"));
  fs::last_write_time(places.complete, fs::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_TRUE(storage.is_occupied(kFile));  // changed since
}

TEST_F(HubStorage, ALockWaitsForItsHolder) {
  struct StopWaiting {};
  const FileLock first(folder_ / "x.lock", [] { FAIL(); });
  EXPECT_THROW(FileLock(folder_ / "x.lock", [] { throw StopWaiting(); }), StopWaiting);
}

TEST_F(HubStorage, SmallFilesAreReplacedWhole) {
  const fs::path path = folder_ / "refs" / "refs" / "pr" / "1";
  replace_text_file(path, "one");
  replace_text_file(path, "two");
  EXPECT_EQ(first_line(path), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), fs::directory_iterator()), 1);
}

/// Sets variables for one test and puts the old ones back.
using Changes = std::map<std::string, std::optional<std::string>>;
class Environment {
 public:
  explicit Environment(const Changes& changes) {
    for (const auto& [name, value] : changes) {
      const char* old = std::getenv(name.c_str());
      saved_[name] = old == nullptr ? std::nullopt : std::optional<std::string>(old);
      set(name, value);
    }
  }
  ~Environment() {
    for (const auto& [name, value] : saved_) {
      set(name, value);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  static void set(const std::string& name, const std::optional<std::string>& value) {
    value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
  }
  Changes saved_;
};

TEST_F(HubStorage, SettingsComeFromTheEnvironment) {
  write(folder_ / "token", "from-file\r\n");
  const Environment environment(Changes{{"HF_HOME", folder_.string()},
                                        {"HF_HUB_CACHE", std::nullopt},
                                        {"HUGGINGFACE_HUB_CACHE", std::nullopt},
                                        {"HF_ENDPOINT", "http://h/x//"},
                                        {"HF_TOKEN", ""},
                                        {"HUGGING_FACE_HUB_TOKEN", std::nullopt},
                                        {"HF_TOKEN_PATH", std::nullopt},
                                        {"HF_HUB_OFFLINE", "yes"},
                                        {"HF_HUB_DISABLE_IMPLICIT_TOKEN", std::nullopt},
                                        {"HF_HUB_DOWNLOAD_TIMEOUT", "7"}});
  const HubSettings settings = HubSettings::from_environment();
  EXPECT_EQ(settings.endpoint, "http://h/x");
  EXPECT_EQ(settings.cache, folder_ / "hub");
  EXPECT_EQ(settings.token, "from-file");
  EXPECT_EQ(settings.token_source, (folder_ / "token").string());
  EXPECT_TRUE(settings.offline);
  EXPECT_EQ(settings.stall_seconds, 7);
  const Environment other(
      {{"HF_TOKEN", " abc\n"}, {"HF_HUB_CACHE", "~/c$NOLENS_NONE"}, {"HOME", "/h"}});
  EXPECT_EQ(HubSettings::from_environment().token, "abc");
  EXPECT_EQ(HubSettings::from_environment().cache, "/h/c$NOLENS_NONE");
  const Environment split(Changes{{"HF_TOKEN", "a b"}});
  EXPECT_THROW(HubSettings::from_environment(), Error);
}

}  // namespace
}  // namespace nolens::hub
