#include "batch.h"

#include <algorithm>
#include <string>

#include "nolens/error.h"

#include "cpu_ops.h"

namespace nolens::train {
namespace {

template <typename T>
at::Tensor to_tensor(const std::vector<T>& values, at::ScalarType type,
                     std::vector<std::int64_t> shape, at::Device device) {
  return at::from_blob(const_cast<T*>(values.data()), shape, at::TensorOptions().dtype(type))
      .clone()
      .to(device);
}

at::Tensor int64_tensor(const std::vector<std::int64_t>& values, at::Device device) {
  return to_tensor(values, at::kLong, {static_cast<std::int64_t>(values.size())}, device);
}

at::Tensor int32_tensor(const std::vector<std::int32_t>& values, at::Device device) {
  return to_tensor(values, at::kInt, {static_cast<std::int64_t>(values.size())}, device);
}

at::Tensor range_tensor(const std::vector<KeyRange>& ranges, at::Device device) {
  std::vector<std::int32_t> flat;
  flat.reserve(ranges.size() * 4);
  for (const KeyRange& range : ranges) {
    flat.insert(flat.end(), {range.prefix_begin, range.prefix_end, range.own_begin, range.own_end});
  }
  return to_tensor(flat, at::kInt, {static_cast<std::int64_t>(ranges.size()), 4}, device);
}

/// Collects the rows of a batch on the host. The visible keys follow the canonical mask rule
/// (docs/model.md, "Mask rules"): a row sees what is before it; in sliding layers no further back
/// than the window, and a picture's rows see all of their picture.
class Packer {
 public:
  Packer(const ModelConfig& config, at::Device device) : config_(config), device_(device) {}

  void set_shape(std::int64_t groups, std::int64_t prefix_rows, std::int64_t branches,
                 std::int64_t branch_rows, std::int64_t selected_rows) {
    if (prefix_rows + branch_rows > config_.text.max_position_embeddings) {
      throw Error(ErrorCode::kInput, "a sequence of " + std::to_string(prefix_rows + branch_rows) +
                                         " tokens exceeds the model's max_position_embeddings of " +
                                         std::to_string(config_.text.max_position_embeddings) +
                                         "; lower --max-tokens");
    }
    batch_.groups = groups;
    batch_.prefix_rows = prefix_rows;
    batch_.branches = branches;
    batch_.branch_rows = branch_rows;
    batch_.selected_rows = selected_rows;
  }

  void add_prefix(const std::vector<TokenId>& tokens) {
    const auto length = static_cast<std::int64_t>(tokens.size());
    std::vector<std::int64_t> picture_end(tokens.size(), 0);
    for (std::int64_t i = length - 1; i >= 0; --i) {
      const bool more = i + 1 < length && is_picture(tokens[static_cast<std::size_t>(i + 1)]);
      if (is_picture(tokens[static_cast<std::size_t>(i)])) {
        picture_end[static_cast<std::size_t>(i)] =
            more ? picture_end[static_cast<std::size_t>(i + 1)] : i + 1;
      }
    }
    for (std::int64_t row = 0; row < batch_.prefix_rows; ++row) {
      const bool real = row < length;
      const TokenId token = real ? tokens[static_cast<std::size_t>(row)] : config_.tokens.pad;
      const bool picture = real && is_picture(token);
      if (picture) {
        patch_rows_.push_back(group_ * batch_.prefix_rows + row);
        patch_group_.push_back(group_);
      }
      prefix_ids_.push_back(picture ? config_.tokens.pad : token);
      prefix_positions_.push_back(static_cast<std::int32_t>(row));
      const std::int64_t end =
          picture ? std::max(row + 1, picture_end[static_cast<std::size_t>(row)]) : row + 1;
      // A padding row sees itself alone, so that its softmax is defined; nobody sees it.
      prefix_sliding_.push_back(prefix_range(real ? window_begin(row) : row, end));
      prefix_full_.push_back(prefix_range(real ? 0 : row, row + 1));
    }
    prefix_length_ = length;
  }

  void add_patches(const Patches& patches) {
    patch_values_.insert(patch_values_.end(), patches.values.begin(), patches.values.end());
    patch_x_.insert(patch_x_.end(), patches.x.begin(), patches.x.end());
    patch_y_.insert(patch_y_.end(), patches.y.begin(), patches.y.end());
  }

  void add_branch(std::int64_t index, const Branch* branch) {
    const std::int64_t first = (group_ * batch_.branches + index) * batch_.branch_rows;
    const auto length =
        branch == nullptr ? 0 : static_cast<std::int64_t>(branch->tokens.size()) - 1;
    std::vector<KeyRange> sliding;
    std::vector<KeyRange> full;
    for (std::int64_t row = 0; row < batch_.branch_rows; ++row) {
      branch_ids_.push_back(row < length ? branch->tokens[static_cast<std::size_t>(row)]
                                         : config_.tokens.pad);
      branch_positions_.push_back(static_cast<std::int32_t>(prefix_length_ + row));
      const std::int64_t oldest = window_begin(prefix_length_ + row);
      sliding.push_back(branch_range(std::min(oldest, prefix_length_),
                                     std::max<std::int64_t>(oldest - prefix_length_, 0), row));
      full.push_back(branch_range(0, 0, row));
    }
    const std::int64_t begin = branch == nullptr ? 0 : branch->answer_begin - 1;
    const std::int64_t answers = length - begin;
    for (std::int64_t s = 0; s < batch_.selected_rows; ++s) {
      const std::int64_t row = s < answers ? begin + s : 0;
      if (s < answers) {
        target_rows_.push_back(static_cast<std::int64_t>(selected_.size()));
        targets_.push_back(branch->tokens[static_cast<std::size_t>(row + 1)]);
        batch_.target_branch.push_back(group_ * batch_.branches + index);
      }
      selected_.push_back(first + row);
      selected_positions_.push_back(static_cast<std::int32_t>(prefix_length_ + row));
      selected_sliding_.push_back(sliding[static_cast<std::size_t>(row)]);
      selected_full_.push_back(full[static_cast<std::size_t>(row)]);
    }
    branch_sliding_.insert(branch_sliding_.end(), sliding.begin(), sliding.end());
    branch_full_.insert(branch_full_.end(), full.begin(), full.end());
  }

  void end_group() { ++group_; }

  Batch finish() {
    if (patch_rows_.size() != patch_x_.size()) {
      throw Error(ErrorCode::kInput, "the prompts hold " + std::to_string(patch_rows_.size()) +
                                         " image placeholders but the pictures have " +
                                         std::to_string(patch_x_.size()) + " patches");
    }
    batch_.prefix_ids = int64_tensor(prefix_ids_, device_);
    batch_.prefix_positions = int32_tensor(prefix_positions_, device_);
    if (!patch_x_.empty()) {
      const auto count = static_cast<std::int64_t>(patch_x_.size());
      batch_.patches =
          to_tensor(patch_values_, at::kFloat,
                    {count, static_cast<std::int64_t>(patch_values_.size()) / count}, device_);
      batch_.patch_x = int64_tensor(patch_x_, device_);
      batch_.patch_y = int64_tensor(patch_y_, device_);
      batch_.patch_rows = int64_tensor(patch_rows_, device_);
      batch_.patch_group = int64_tensor(patch_group_, device_);
    }
    batch_.branch_ids = int64_tensor(branch_ids_, device_);
    batch_.branch_positions = int32_tensor(branch_positions_, device_);
    batch_.selected = int64_tensor(selected_, device_);
    batch_.selected_positions = int32_tensor(selected_positions_, device_);
    batch_.target_rows = int64_tensor(target_rows_, device_);
    batch_.targets = int64_tensor(targets_, device_);
    batch_.sliding = {range_tensor(prefix_sliding_, device_),
                      range_tensor(branch_sliding_, device_),
                      range_tensor(selected_sliding_, device_)};
    batch_.full = {range_tensor(prefix_full_, device_), range_tensor(branch_full_, device_),
                   range_tensor(selected_full_, device_)};
    return std::move(batch_);
  }

 private:
  [[nodiscard]] bool is_picture(TokenId token) const noexcept {
    return token == config_.tokens.image;
  }
  [[nodiscard]] std::int64_t window_begin(std::int64_t position) const noexcept {
    return std::max<std::int64_t>(position - config_.text.sliding_window + 1, 0);
  }
  static KeyRange prefix_range(std::int64_t begin, std::int64_t end) {
    return {static_cast<std::int32_t>(begin), static_cast<std::int32_t>(end), 0, 0};
  }
  [[nodiscard]] KeyRange branch_range(std::int64_t prefix_begin, std::int64_t own_begin,
                                      std::int64_t row) const {
    return {static_cast<std::int32_t>(prefix_begin), static_cast<std::int32_t>(prefix_length_),
            static_cast<std::int32_t>(own_begin), static_cast<std::int32_t>(row + 1)};
  }

  const ModelConfig& config_;
  at::Device device_;
  Batch batch_;
  std::int64_t group_ = 0;
  std::int64_t prefix_length_ = 0;
  std::vector<std::int64_t> prefix_ids_, patch_x_, patch_y_, patch_rows_, patch_group_;
  std::vector<std::int64_t> branch_ids_, selected_, target_rows_, targets_;
  std::vector<std::int32_t> prefix_positions_, branch_positions_, selected_positions_;
  std::vector<KeyRange> prefix_sliding_, prefix_full_, branch_sliding_, branch_full_;
  std::vector<KeyRange> selected_sliding_, selected_full_;
  std::vector<float> patch_values_;
};

}  // namespace

Batch collate(const std::vector<Group>& groups, const ModelConfig& config, at::Device device) {
  std::int64_t prefix_rows = 0;
  std::int64_t branches = 0;
  std::int64_t branch_rows = 0;
  std::int64_t selected_rows = 0;
  for (const Group& group : groups) {
    prefix_rows = std::max(prefix_rows, static_cast<std::int64_t>(group.prefix.size()));
    branches = std::max(branches, static_cast<std::int64_t>(group.branches.size()));
    for (const Branch& branch : group.branches) {
      const auto length = static_cast<std::int64_t>(branch.tokens.size());
      branch_rows = std::max(branch_rows, length - 1);
      selected_rows = std::max(selected_rows, length - branch.answer_begin);
    }
  }
  Packer packer(config, device);
  packer.set_shape(static_cast<std::int64_t>(groups.size()), prefix_rows, branches, branch_rows,
                   selected_rows);
  for (const Group& group : groups) {
    packer.add_prefix(group.prefix);
    for (const Patches& picture : group.pictures) {
      packer.add_patches(picture);
    }
    for (std::int64_t k = 0; k < branches; ++k) {
      const auto index = static_cast<std::size_t>(k);
      packer.add_branch(k, index < group.branches.size() ? &group.branches[index] : nullptr);
    }
    packer.end_group();
  }
  return packer.finish();
}

Batch collate_texts(const std::vector<std::vector<TokenId>>& texts, const ModelConfig& config,
                    at::Device device) {
  std::vector<Group> groups(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    groups[i].prefix = texts[i];
  }
  return collate(groups, config, device);
}

}  // namespace nolens::train
