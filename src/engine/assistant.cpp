// Loading a drafter, and whether it fits its target.
#include "nolens/assistant.h"

#include <string>

#include "core/escape.h"
#include "engine/assistant_impl.h"
#include "engine/model_impl.h"
#include "formats/tensor_values.h"

namespace nolens {

namespace {

const char* type_name(LayerType type) {
  return type == LayerType::kSlidingAttention ? "sliding_attention" : "full_attention";
}

/// Compares an assistant with the model whose keys it is to read.
class FitCheck {
 public:
  FitCheck(const AssistantConfig& assistant, const ModelConfig& target)
      : assistant_(assistant), target_(target) {}

  /// \throws Error{kModel} naming the first size that differs
  void run() const {
    const TextConfig& text = assistant_.decoder.text;
    expect("backbone_hidden_size", target_.text.hidden_size, assistant_.backbone_hidden_size);
    expect("vocab_size", target_.text.vocab_size, text.vocab_size);
    expect("sliding_window", target_.text.sliding_window, text.sliding_window);
  }

  /// The target's last layer of the same type. \throws Error{kModel} if its keys do not fit
  [[nodiscard]] std::size_t target_layer(const LayerConfig& layer) const {
    for (std::size_t i = target_.text.layers.size(); i-- > 0;) {
      const LayerConfig& read = target_.text.layers[i];
      if (read.type == layer.type) {
        const std::string of = std::string(" of ") + type_name(layer.type) + " layers";
        expect("head_dim" + of, read.head_dim, layer.head_dim);
        expect("num_key_value_heads" + of, read.num_key_value_heads, layer.num_key_value_heads);
        return i;
      }
    }
    fail(std::string("it has ") + type_name(layer.type) + " layers, the model has none");
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorCode::kModel, "assistant '" + escape_for_message(assistant_.decoder.name) +
                                       "' was not made for the model '" +
                                       escape_for_message(target_.name) + "': " + reason +
                                       "; use the assistant that is published with the model");
  }
  void expect(const std::string& what, std::int64_t expected, std::int64_t found) const {
    if (expected != found) {
      fail(what + " is " + std::to_string(found) + ", expected " + std::to_string(expected));
    }
  }

  const AssistantConfig& assistant_;
  const ModelConfig& target_;
};

}  // namespace

Assistant::Assistant(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Assistant::~Assistant() = default;

std::shared_ptr<const Assistant> Assistant::load(const std::filesystem::path& directory,
                                                 std::shared_ptr<const Model> target,
                                                 const LogSink& log) {
  AssistantConfig config = read_assistant_config(directory, log);
  const FitCheck fit(config, target->config());
  fit.run();
  std::vector<std::size_t> target_layers;
  for (const LayerConfig& layer : config.decoder.text.layers) {
    target_layers.push_back(fit.target_layer(layer));
  }
  TensorStore store = TensorStore::open_directory(directory);
  check_tensors(tensor_specs(config), config.decoder.name, store, log);
  auto impl = std::make_unique<Impl>(std::move(target), std::move(config), std::move(store));
  impl->target_layers = std::move(target_layers);
  impl->weights = decoder_weights(impl->config.decoder, impl->store, KeySource::kBorrowed);
  impl->pre_projection = weight_matrix(impl->store, "pre_projection.weight");
  impl->post_projection = weight_matrix(impl->store, "post_projection.weight");
  impl->decoder = std::make_unique<Decoder>(impl->config.decoder.text, impl->weights,
                                            *impl->target->impl().runtime->kernels);
  return std::shared_ptr<const Assistant>(new Assistant(std::move(impl)));
}

std::int64_t Assistant::weights_bytes() const noexcept {
  return impl_->store.total_bytes();
}

}  // namespace nolens
