// Writes rows of keys and values into a cache.
#pragma once

#include <cstdint>

#include "kernels/attention_args.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/kv_layout.h"

namespace nolens {

class KvStore {
 public:
  KvStore(const KernelTable& table, const KvView& kv)
      : kv_(kv),
        store_key_(table.store_key[static_cast<std::size_t>(kv.type)]),
        store_value_(table.store_value[static_cast<std::size_t>(kv.type)]),
        key_bytes_(key_tile_bytes(kv.type, kv.head_dim)),
        value_bytes_(value_tile_bytes(kv.type, kv.head_dim)) {}

  /// k, v [num_heads * head_dim]
  void write(std::int64_t position, const float* k, const float* v) const {
    const std::int64_t slot = position % kv_.capacity;
    for (std::int64_t head = 0; head < kv_.num_heads; ++head) {
      const std::int64_t part = slot / kKeyTile * kv_.num_heads + head;
      const std::int64_t first = head * kv_.head_dim;
      store_key_(k + first, kv_.head_dim, slot % kKeyTile,
                 reinterpret_cast<unsigned char*>(kv_.keys + part * key_bytes_));
      store_value_(v + first, kv_.head_dim, slot % kKeyTile,
                   reinterpret_cast<unsigned char*>(kv_.values + part * value_bytes_));
    }
  }

 private:
  const KvView& kv_;
  KernelTable::StoreHead store_key_;
  KernelTable::StoreHead store_value_;
  std::int64_t key_bytes_;
  std::int64_t value_bytes_;
};

}  // namespace nolens
