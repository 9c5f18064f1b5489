// Keys and values of one sequence, layer by layer.
#pragma once

#include <cstdint>
#include <vector>

#include "nolens/config.h"

#include "core/aligned_buffer.h"
#include "kernels/attention_args.h"

namespace nolens {

/// Full layers keep every position. Sliding layers keep a ring: the window before the rows of a
/// step and the rows themselves. Memory grows with use, up to what the context length asks for.
class KvCache {
 public:
  KvCache(const TextConfig& config, KvType type, std::int64_t context_length);

  /// Makes room for a step of `rows` rows after the `end()` positions held.
  /// \throws Error{kResource}; then nothing that was held is lost.
  void reserve(std::int64_t rows);
  /// The step's rows were stored.
  void advance(std::int64_t rows) { end_ += rows; }

  /// Whether every key that a row at `position` needs is still held. Always so for the positions of the
  /// latest step: a ring holds the window before a step besides its rows, so what a step overwrites none
  /// of its positions needs.
  [[nodiscard]] bool can_rewind(std::int64_t position) const noexcept;
  /// Forgets positions >= `position`; can_rewind(position) must hold.
  void rewind(std::int64_t position);

  [[nodiscard]] std::int64_t end() const noexcept { return end_; }
  [[nodiscard]] KvView view(std::size_t layer) noexcept;
  [[nodiscard]] std::int64_t bytes() const noexcept;
  /// A deep copy.
  [[nodiscard]] KvCache clone() const;

  /// Bytes of a cache that is full at `context_length` with steps of at most `step_rows` rows.
  static std::int64_t bytes_at(const TextConfig& config, KvType type, std::int64_t context_length,
                               std::int64_t step_rows);

 private:
  struct Layer {
    AlignedBuffer<std::byte> keys;    ///< tiles of key_bytes
    AlignedBuffer<std::byte> values;  ///< tiles of value_bytes
    std::int64_t capacity = 0;        ///< positions, a multiple of kKeyTile
    std::int64_t num_heads = 0;
    std::int64_t head_dim = 0;
    std::int64_t key_bytes = 0;  ///< of a tile, all heads
    std::int64_t value_bytes = 0;
    std::int64_t first_held = 0;  ///< positions before it were gone when the layer last grew
    bool sliding = false;
  };
  /// First position whose slot still holds it.
  [[nodiscard]] std::int64_t oldest(const Layer& layer) const noexcept;

  KvType type_;
  std::int64_t context_length_;
  std::int64_t sliding_window_;
  std::int64_t end_ = 0;
  std::int64_t written_end_ = 0;  ///< one more than the highest position ever stored
  std::vector<Layer> layers_;
};

}  // namespace nolens
