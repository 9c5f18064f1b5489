#include "serve/http/api_keys.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "nolens/error.h"

#include "serve/http/text.h"

namespace nolens::serve {
namespace {

constexpr std::size_t kMaxKeyBytes = 512;
constexpr std::size_t kShortKeyBytes = 16;
constexpr std::size_t kMaxFileBytes = 1024 * 1024;

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorCode::kUsage, "API keys in " + escaped(file.string()) + ": " + what);
}

struct KeyFile {
  std::vector<std::string> keys;
  std::vector<std::string> warnings;
};

std::string read_text(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text(kMaxFileBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.is_open() || stream.bad()) {
    refuse(file, std::string("cannot be read (") + std::strerror(errno) + ")");
  }
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kMaxFileBytes) {
    refuse(file, "larger than 1 MiB; expected one key a line");
  }
  return text;
}

KeyFile read_keys(const std::filesystem::path& file) {
  KeyFile result;
  struct stat status {};
  if (stat(file.c_str(), &status) == 0 && (status.st_mode & 0077) != 0) {
    result.warnings.push_back("API keys in " + escaped(file.string()) +
                              " can be read by other users; chmod 600 keeps them private");
  }
  const std::string text = read_text(file);
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line(text.data() + begin, end - begin);
    begin = end + 1;
    ++number;
    if (!line.empty() && line.back() == '\r') {
      line.remove_suffix(1);
    }
    line = trimmed(line);
    if (line.empty() || line.front() == '#') {
      continue;
    }
    const std::string where = "line " + std::to_string(number) + " ";
    if (line.size() > kMaxKeyBytes || !std::all_of(line.begin(), line.end(), is_visible)) {
      refuse(file, where + "is no key: expected 1 to 512 printable characters without spaces");
    }
    if (line.size() < kShortKeyBytes) {
      result.warnings.push_back(
          "API keys in " + escaped(file.string()) + ": " + where +
          "holds a key that is easy to guess; openssl rand -hex 32 makes a good one");
    }
    result.keys.emplace_back(line);
  }
  if (result.keys.empty()) {
    refuse(file, "no key in it; (umask 077; openssl rand -hex 32 > FILE) makes a file with one");
  }
  return result;
}

std::array<unsigned char, 32> sha256(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1 ||
      size != digest.size()) {
    throw Error(ErrorCode::kInternal, "the cryptographic library computes no SHA-256");
  }
  return digest;
}

}  // namespace

ApiKeys::ApiKeys(std::filesystem::path file) : file_(std::move(file)) {
  reload();
}

void ApiKeys::reload() {
  if (file_.empty()) {
    return;
  }
  KeyFile fresh = read_keys(file_);
  const std::lock_guard lock(mutex_);
  std::vector<Entry> entries;
  for (std::string& key : fresh.keys) {
    const Digest digest = sha256(key);
    OPENSSL_cleanse(key.data(), key.size());
    entries.push_back({digest, owner_number(digest)});
  }
  entries_ = std::move(entries);
  warnings_ = std::move(fresh.warnings);
}

std::size_t ApiKeys::owner_number(const Digest& digest) {
  const auto known = std::find(owners_.begin(), owners_.end(), digest);
  const auto index = static_cast<std::size_t>(known - owners_.begin());
  if (known == owners_.end()) {
    owners_.push_back(digest);
  }
  return index + 1;
}

bool ApiKeys::empty() const {
  return size() == 0;
}

std::size_t ApiKeys::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::optional<std::size_t> ApiKeys::owner_of(std::string_view key) const {
  const Digest digest = sha256(key);
  const std::lock_guard lock(mutex_);
  std::size_t owner = 0;
  for (const Entry& entry : entries_) {
    // Every key is compared and nothing branches on the outcome.
    const int differs = CRYPTO_memcmp(digest.data(), entry.digest.data(), digest.size());
    const std::size_t mask = std::size_t{0} - static_cast<std::size_t>(differs == 0);
    owner = (owner & ~mask) | (entry.owner & mask);
  }
  return owner == 0 ? std::nullopt : std::optional(owner);
}

std::vector<std::string> ApiKeys::warnings() const {
  const std::lock_guard lock(mutex_);
  return warnings_;
}

}  // namespace nolens::serve
