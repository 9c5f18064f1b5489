// Growth, ring copies and sizes of the key/value cache.
#include "decoder/kv_cache.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "kernels/kv_layout.h"

namespace nolens {

namespace {

/// Positions a sliding layer needs for a step of `rows` rows: the window - 1 before it and the
/// rows.
std::int64_t ring_positions(std::int64_t sliding_window, std::int64_t rows) {
  return round_up(sliding_window - 1 + rows, kKeyTile);
}

/// The tiles that hold positions [begin, end), in a buffer of another capacity.
AlignedBuffer<std::byte> copy_tiles(const AlignedBuffer<std::byte>& from,
                                    std::int64_t from_capacity, std::int64_t to_capacity,
                                    std::int64_t tile_bytes, std::int64_t begin, std::int64_t end) {
  AlignedBuffer<std::byte> to(to_capacity / kKeyTile * tile_bytes);
  for (std::int64_t tile = begin / kKeyTile; tile * kKeyTile < end; ++tile) {
    std::memcpy(to.data() + tile % (to_capacity / kKeyTile) * tile_bytes,
                from.data() + tile % (from_capacity / kKeyTile) * tile_bytes,
                static_cast<std::size_t>(tile_bytes));
  }
  return to;
}

}  // namespace

KvCache::KvCache(const TextConfig& config, KvType type, std::int64_t context_length)
    : type_(type), context_length_(context_length), sliding_window_(config.sliding_window) {
  for (const LayerConfig& shape : config.layers) {
    Layer& layer = layers_.emplace_back();
    layer.num_heads = shape.num_key_value_heads;
    layer.head_dim = shape.head_dim;
    layer.key_bytes = layer.num_heads * key_tile_bytes(type, layer.head_dim);
    layer.value_bytes = layer.num_heads * value_tile_bytes(type, layer.head_dim);
    layer.sliding = shape.type == LayerType::kSlidingAttention;
  }
}

std::int64_t KvCache::oldest(const Layer& layer) const noexcept {
  return std::max(layer.first_held, written_end_ - layer.capacity);
}

void KvCache::reserve(std::int64_t rows) {
  const std::int64_t needed = round_up(end_ + rows, kKeyTile);
  const std::int64_t most = round_up(context_length_, kKeyTile);
  for (Layer& layer : layers_) {
    std::int64_t capacity = needed;
    if (layer.sliding) {
      capacity = std::min(needed, ring_positions(sliding_window_, rows));
    }
    if (capacity <= layer.capacity) {
      continue;
    }
    // Doubling keeps the copying linear; a ring stops at what one step needs.
    std::int64_t target = std::max(capacity, std::min(2 * layer.capacity, most));
    if (layer.sliding) {
      target = std::min(target, ring_positions(sliding_window_, rows));
    }
    // Layer by layer, so that one of them at most is there twice. A layer that has grown holds what it
    // held, so nothing is lost if the next one finds no memory.
    AlignedBuffer<std::byte> keys = copy_tiles(layer.keys, layer.capacity, target, layer.key_bytes,
                                               oldest(layer), written_end_);
    AlignedBuffer<std::byte> values = copy_tiles(layer.values, layer.capacity, target,
                                                 layer.value_bytes, oldest(layer), written_end_);
    layer.first_held = oldest(layer);
    layer.keys = std::move(keys);
    layer.values = std::move(values);
    layer.capacity = target;
  }
  written_end_ = std::max(written_end_, end_ + rows);
}

bool KvCache::can_rewind(std::int64_t position) const noexcept {
  if (position < 0 || position > end_) {
    return false;
  }
  const std::int64_t needed = std::max<std::int64_t>(0, position - sliding_window_ + 1);
  return position == 0 || std::all_of(layers_.begin(), layers_.end(), [&](const Layer& layer) {
           return !layer.sliding || oldest(layer) <= needed;
         });
}

void KvCache::rewind(std::int64_t position) {
  NOLENS_CHECK(can_rewind(position));
  end_ = position;
  if (position == 0) {
    written_end_ = 0;
    for (Layer& layer : layers_) {
      layer.first_held = 0;
    }
  }
}

KvView KvCache::view(std::size_t layer) noexcept {
  Layer& l = layers_[layer];
  return {type_, l.keys.data(), l.values.data(), l.capacity, l.num_heads, l.head_dim};
}

std::int64_t KvCache::bytes() const noexcept {
  std::int64_t total = 0;
  for (const Layer& layer : layers_) {
    total += layer.keys.size() + layer.values.size();
  }
  return total;
}

KvCache KvCache::clone() const {
  TextConfig shape;
  shape.sliding_window = sliding_window_;
  KvCache copy(shape, type_, context_length_);
  copy.end_ = end_;
  copy.written_end_ = written_end_;
  for (const Layer& layer : layers_) {
    // The same capacity: slots keep their positions, so a plain copy is right.
    Layer& twin = copy.layers_.emplace_back();
    twin.keys = AlignedBuffer<std::byte>(layer.keys.size());
    twin.values = AlignedBuffer<std::byte>(layer.values.size());
    if (layer.capacity > 0) {
      std::memcpy(twin.keys.data(), layer.keys.data(), static_cast<std::size_t>(layer.keys.size()));
      std::memcpy(twin.values.data(), layer.values.data(),
                  static_cast<std::size_t>(layer.values.size()));
    }
    twin.capacity = layer.capacity;
    twin.num_heads = layer.num_heads;
    twin.head_dim = layer.head_dim;
    twin.key_bytes = layer.key_bytes;
    twin.value_bytes = layer.value_bytes;
    twin.first_held = layer.first_held;
    twin.sliding = layer.sliding;
  }
  return copy;
}

std::int64_t KvCache::bytes_at(const TextConfig& config, KvType type, std::int64_t context_length,
                               std::int64_t step_rows) {
  std::int64_t total = 0;
  for (const LayerConfig& layer : config.layers) {
    std::int64_t positions = round_up(context_length, kKeyTile);
    if (layer.type == LayerType::kSlidingAttention) {
      positions = std::min(positions, ring_positions(config.sliding_window, step_rows));
    }
    total += positions / kKeyTile * layer.num_key_value_heads *
             (key_tile_bytes(type, layer.head_dim) + value_tile_bytes(type, layer.head_dim));
  }
  return total;
}

}  // namespace nolens
