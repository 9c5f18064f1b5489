// safetensors allows no gaps: what lies between tensors is a tensor, and the header ends in spaces.
#include "quantize/nolens_writer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/checked_math.h"
#include "formats/checksum.h"
#include "formats/json.h"
#include "formats/nolens_tensors.h"
#include "formats/safetensors_writer.h"
#include "platform/atomic_file.h"

namespace nolens {
namespace {

constexpr std::int64_t kPrefixBytes = 8;
constexpr std::int64_t kPage = 4096;
constexpr std::int64_t kSumBytes = 8;

std::string little_endian(std::uint64_t value) {
  std::string bytes;
  for (unsigned i = 0; i < 8; ++i) {
    bytes += static_cast<char>((value >> (8 * i)) & 0xFFU);
  }
  return bytes;
}

/// The given entries with padding before those that need it, and the checksums at the end.
std::vector<NolensEntry> padded(const std::vector<NolensEntry>& entries, std::int64_t data_begin) {
  std::vector<NolensEntry> all;
  std::int64_t at = data_begin;
  std::int64_t pads = 0;
  for (const NolensEntry& entry : entries) {
    if (const std::int64_t gap = round_up(at, entry.alignment) - at; gap > 0) {
      all.push_back({std::string(kNolensPadding) + std::to_string(pads++), "U8", {gap}, gap});
      at += gap;
    }
    all.push_back(entry);
    at += entry.bytes;
  }
  const std::int64_t sums = (static_cast<std::int64_t>(all.size()) + 1) * kSumBytes;
  all.push_back({std::string(kNolensChecksums), "U8", {sums}, sums});
  return all;
}

std::string header_json(const std::vector<NolensEntry>& entries,
                        const std::map<std::string, std::string>& metadata) {
  Json header = {{"__metadata__", metadata}};
  std::int64_t at = 0;
  for (const NolensEntry& entry : entries) {
    NOLENS_CHECK(!header.contains(entry.name));
    header[entry.name] = {
        {"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {at, at + entry.bytes}}};
    at += entry.bytes;
  }
  return header.dump();
}

struct FileLayout {
  std::string head;  ///< length and header
  std::vector<NolensEntry> entries;
};

/// How long the header is depends on the padding, which depends on how long the header is: tries
/// page by page.
FileLayout make_layout(const std::vector<NolensEntry>& entries,
                       const std::map<std::string, std::string>& metadata) {
  for (std::int64_t data_begin = kPage;;) {
    FileLayout layout{{}, padded(entries, data_begin)};
    std::string json = header_json(layout.entries, metadata);
    const std::int64_t needed = kPrefixBytes + static_cast<std::int64_t>(json.size());
    if (needed > data_begin) {
      data_begin = round_up(needed, kPage);
      continue;
    }
    json.resize(static_cast<std::size_t>(data_begin - kPrefixBytes), ' ');
    layout.head = little_endian(json.size()) + json;
    return layout;
  }
}

}  // namespace

struct NolensWriter::Impl {
  Impl(const std::filesystem::path& file, FileLayout file_layout) : layout(std::move(file_layout)) {
    total = static_cast<std::int64_t>(layout.head.size());
    for (const NolensEntry& entry : layout.entries) {
      total += entry.bytes;
    }
    check_free_space(file, total);
    output.emplace(file);
    output->write(layout.head);
    fill_padding();
  }

  void fill_padding() {
    static constexpr std::array<std::byte, kPage> kZeros{};
    while (current < layout.entries.size() &&
           layout.entries[current].name.starts_with(kNolensPadding)) {
      for (std::int64_t rest = layout.entries[current].bytes; rest > 0;) {
        const auto piece = std::span(kZeros).first(static_cast<std::size_t>(std::min(rest, kPage)));
        write(piece);
        rest -= static_cast<std::int64_t>(piece.size());
      }
      finish_tensor();
    }
  }

  void write(std::span<const std::byte> bytes) {
    in_current += static_cast<std::int64_t>(bytes.size());
    NOLENS_CHECK(in_current <= layout.entries[current].bytes);
    sum.update(bytes);
    output->write(bytes);
  }

  void finish_tensor() {
    sums += little_endian(sum.value());
    sum = Checksum();
    in_current = 0;
    ++current;
  }

  FileLayout layout;
  std::optional<AtomicFile> output;
  std::int64_t total = 0;
  std::size_t current = 0;      // tensor being written
  std::int64_t in_current = 0;  // bytes of it that were written
  Checksum sum;
  std::string sums;
};

NolensWriter::NolensWriter(const std::filesystem::path& file,
                           const std::vector<NolensEntry>& entries,
                           const std::map<std::string, std::string>& metadata)
    : impl_(std::make_unique<Impl>(file, make_layout(entries, metadata))) {}

NolensWriter::~NolensWriter() = default;

void NolensWriter::append(std::span<const std::byte> bytes) {
  NOLENS_CHECK(impl_->current + 1 < impl_->layout.entries.size());
  impl_->write(bytes);
  if (impl_->in_current == impl_->layout.entries[impl_->current].bytes) {
    impl_->finish_tensor();
    impl_->fill_padding();
  }
}

void NolensWriter::commit() {
  NOLENS_CHECK(impl_->current + 1 == impl_->layout.entries.size());
  Checksum head;
  head.update(std::as_bytes(std::span(impl_->layout.head)));
  head.update(std::as_bytes(std::span(impl_->sums)));
  impl_->output->write(impl_->sums + little_endian(head.value()));
  impl_->output->commit();
}

std::int64_t NolensWriter::file_bytes() const noexcept {
  return impl_->total;
}

}  // namespace nolens
