// The keys that clients must show.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nolens::serve {

/// Only SHA-256 digests of the keys are held. Safe for several threads.
class ApiKeys {
 public:
  /// No keys: nobody needs one.
  ApiKeys() = default;
  /// \param file  one key a line; blank lines and lines that begin with '#' do not count. A key is
  /// 1 to
  ///              512 printable characters without spaces
  /// \throws Error{kUsage} if the file cannot be read, holds no key or a malformed one (named by
  /// its line,
  ///         never by its text)
  explicit ApiKeys(std::filesystem::path file);

  /// Reads the file again. Keys that stay keep their index. \throws as the constructor, the keys
  /// stay then
  void reload();

  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::size_t size() const;
  /// \return the index of the owner, 1 or more, the same as long as the process lives; nothing for
  /// a
  ///         wrong key. Takes as long for every key and for none
  [[nodiscard]] std::optional<std::size_t> owner_of(std::string_view key) const;
  /// What is careless about the file as last read: readable by others, short keys. Sentences.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  using Digest = std::array<unsigned char, 32>;
  struct Entry {
    Digest digest;
    std::size_t owner;
  };

  [[nodiscard]] std::size_t owner_number(const Digest& digest);

  std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  std::vector<Digest> owners_;  // every key ever seen; the index of the first is 1
  std::vector<std::string> warnings_;
};

}  // namespace nolens::serve
