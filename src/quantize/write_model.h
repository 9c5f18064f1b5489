// A model as one .nolens file, tensor by tensor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nolens/log.h"

#include "platform/thread_pool.h"
#include "quantize/tensor_plan.h"

namespace nolens {

/// What the file holds beside the tensors of the plans.
struct ModelDocuments {
  std::map<std::string, std::string>
      texts;  ///< metadata, keys without "nolens."; version and layout are added
  /// Names such as kNolensTokenizer, and bytes that outlive the call.
  std::vector<std::pair<std::string, std::string_view>> files;
};

struct WriteOptions {
  /// The sources lie in MappedFiles, and their pages may leave this process's memory once they are
  /// written.
  bool release_sources = false;
  ProgressSink progress{};
};

/// Writes the file or leaves none. \return its size
/// \throws Error{kModel} for a weight that is not finite, Error{kUsage, kResource} as AtomicFile
std::int64_t write_model(const std::filesystem::path& file, const std::vector<TensorPlan>& plans,
                         const ModelDocuments& documents, ThreadPool& pool,
                         const WriteOptions& options);

}  // namespace nolens
