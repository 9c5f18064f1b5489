// Wanted type -> stored type.
#include "engine/kv_choice.h"

#include "core/check.h"

namespace nolens {

KvType choose_kv_type(const ModelConfig& config, bool exact, KvCacheType wanted) {
  if (exact && wanted != KvCacheType::kAuto && wanted != KvCacheType::kF32) {
    throw Error(ErrorCode::kUsage,
                "an exact run keeps keys and values in float32; leave out --kv-cache or --exact");
  }
  switch (wanted) {
    case KvCacheType::kF32: return KvType::kF32;
    case KvCacheType::kF16: return KvType::kF16;
    case KvCacheType::kBf16: return KvType::kBf16;
    case KvCacheType::kInt8: return KvType::kInt8;
    case KvCacheType::kAuto: break;
  }
  return exact || config.source_dtype == SourceDtype::kFloat32 ? KvType::kF32 : KvType::kF16;
}

}  // namespace nolens
