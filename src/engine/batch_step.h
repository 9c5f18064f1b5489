// One pass of the decoder over rows of several contexts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.h"
#include "engine/context.h"

namespace nolens {

/// The next `rows` waiting tokens of a context. If these are the last, the context has logits afterwards.
struct StepPart {
  Context* context = nullptr;
  std::int64_t rows = 0;
};

/// A step in pieces of some layers, so that other steps can run between. Of one model; one thread at a time.
/// What a context gets from a step does not depend, to the bit, on who shares it.
class BatchStep {
 public:
  explicit BatchStep(const Model::Impl& model);

  /// Makes room and embeds. The contexts stay untouched by others until the step is over.
  /// \throws Error{kResource}, Error{kInput}; then there is no step, and contexts are as they were.
  void begin(std::span<const StepPart> parts);
  /// Runs up to `layers` more layers, at least one. True when the step is over: keys and values of its rows
  /// are stored, and take_logits() may follow. On error there is no step.
  bool run(std::size_t layers);
  /// Gives part `index` of the step that is over its logits, if its last waiting token was computed.
  /// \throws Error{kModel} if they are not finite.
  void take_logits(std::size_t index);
  /// sums [D] += the hidden states, after the final norm, of the rows of part `index` of the step that is
  /// over. Once only: the norm is taken in place.
  void add_hidden_states(std::size_t index, std::span<double> sums);
  /// Forgets the step; its rows wait again.
  void abandon();

  [[nodiscard]] bool running() const noexcept { return running_; }
  [[nodiscard]] std::span<const StepPart> parts() const noexcept { return parts_; }
  [[nodiscard]] std::int64_t rows() const noexcept { return rows_; }
  /// Share of the layers that have run.
  [[nodiscard]] double progress() const noexcept {
    return static_cast<double>(next_layer_) / static_cast<double>(model_.config.text.layers.size());
  }
  /// Of what begin() embedded.
  [[nodiscard]] const MediaSeconds& media_seconds() const noexcept { return seconds_; }

 private:
  [[nodiscard]] Matrix x() noexcept { return {x_.data(), rows_, hidden_size_}; }
  void project();

  const Model::Impl& model_;
  std::int64_t hidden_size_;
  std::int64_t vocab_size_;
  std::vector<StepPart> parts_;
  std::vector<std::vector<VisionBlock>> blocks_;  ///< of each part
  std::vector<StepSequence> sequences_;
  std::vector<std::int64_t> begins_;              ///< position of each part's first row
  std::int64_t rows_ = 0;
  std::size_t next_layer_ = 0;
  bool running_ = false;
  AlignedBuffer<float> x_;             ///< [T, D]
  AlignedBuffer<float> last_;          ///< [P, D] last rows of the parts that want logits
  AlignedBuffer<float> logits_;        ///< [P, V]
  std::vector<std::int64_t> kept_;     ///< row of last_ and logits_ by part, -1 = none
  MediaSeconds seconds_;
};

}  // namespace nolens
