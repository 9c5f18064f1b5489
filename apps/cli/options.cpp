#include "options.h"

#include <charconv>
#include <cmath>
#include <random>
#include <sstream>

#include "nolens/error.h"

#include "files.h"

namespace nolens::cli {
namespace {

constexpr std::size_t kMaxToolsBytes = std::size_t{4} << 20U;
constexpr std::int64_t kMaxContext = 1LL << 24U;

/// A finite number in [low, high], or (low, high] with `open`.
CLI::Validator number_between(double low, double high, bool open = false) {
  std::ostringstream range;
  range << (open ? "above " : "from ") << low << (open ? " up to " : " to ") << high;
  const std::string text = range.str();
  return CLI::Validator(
      [=](std::string& value) {
        double number = 0.0;
        const char* end = value.data() + value.size();
        const auto [rest, error] = std::from_chars(value.data(), end, number);
        const bool fits = error == std::errc() && rest == end && number <= high &&
                          (open ? number > low : number >= low);
        return fits ? std::string() : "expected a number " + text + ", found " + value;
      },
      "");
}

CLI::Validator whole_number_between(std::int64_t low, std::int64_t high) {
  const std::string text = std::to_string(low) + " to " + std::to_string(high);
  return CLI::Validator(
      [=](std::string& value) {
        std::int64_t number = 0;
        const char* end = value.data() + value.size();
        const auto [rest, error] = std::from_chars(value.data(), end, number);
        const bool fits = error == std::errc() && rest == end && number >= low && number <= high;
        return fits ? std::string() : "expected a whole number from " + text + ", found " + value;
      },
      "");
}

std::pair<TokenId, float> parse_bias(const std::string& text) {
  TokenId id = 0;
  float bias = 0.0F;
  const std::size_t mark = text.find('=');
  const char* begin = text.data();
  const char* end = begin + text.size();
  const char* id_end = mark == std::string::npos ? end : begin + mark;
  const auto id_result = std::from_chars(begin, id_end, id);
  const auto bias_result = id_end == end ? std::from_chars_result{end, std::errc::invalid_argument}
                                         : std::from_chars(id_end + 1, end, bias);
  if (id_result.ec != std::errc() || id_result.ptr != id_end || id < 0 ||
      bias_result.ec != std::errc() || bias_result.ptr != end || !std::isfinite(bias)) {
    throw Error(ErrorCode::kUsage,
                "--logit-bias: expected ID=NUMBER such as 1234=-5, found '" + text + "'");
  }
  return {id, bias};
}

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

}  // namespace

void add_model_options(CLI::App& command, ModelOptions& options) {
  command
      .add_option("-m,--model", options.model,
                  "Hugging Face directory, .gguf file, or directory with one; without it the bundled "
                  "demonstration model answers")
      ->type_name("MODEL");
  command
      .add_option("--mmproj", options.mmproj,
                  "GGUF: file with the embedders of pictures and sound, if it is not beside the model")
      ->type_name("FILE");
  command.add_option("-t,--threads", options.threads, "Threads; 0 = one per physical core")
      ->check(whole_number_between(0, 1024))
      ->type_name("N");
  command.add_flag("--affinity", options.affinity,
                   "Keep each thread on a physical core of its own");
  command.add_flag("--exact", options.exact, "Compute in float32 throughout");
  command
      .add_option("--codebook", options.codebook_bits,
                  "NF4 and FP4: bits of the codebook in products; 8 reads prompts in half the time, 16 is "
                  "closer to --exact")
      ->check(CLI::IsMember({8, 16}).description(""))
      ->type_name("8|16");
  command.add_flag("-v,--verbose", options.verbose, "Say more on stderr");
}

SessionOptions ContextOptions::session() const {
  SessionOptions options;
  options.context_length = ctx;
  options.image_tokens = image_tokens;
  options.mask_rule = mask_rule == "legacy"   ? MaskRule::kLegacy
                      : mask_rule == "causal" ? MaskRule::kCausal
                                              : MaskRule::kCanonical;
  options.kv_cache = kv_cache_type(kv_cache);
  return options;
}

void add_kv_cache_option(CLI::App& command, std::string& type) {
  command
      .add_option("--kv-cache", type,
                  "Keys and values: auto (f16, or f32 where the model is), f32, f16, bf16 or int8")
      ->check(CLI::IsMember({"auto", "f32", "f16", "bf16", "int8"}).description(""))
      ->type_name("TYPE");
}

KvCacheType kv_cache_type(const std::string& name) {
  return name == "f32"    ? KvCacheType::kF32
         : name == "f16"  ? KvCacheType::kF16
         : name == "bf16" ? KvCacheType::kBf16
         : name == "int8" ? KvCacheType::kInt8
                          : KvCacheType::kAuto;
}

void add_context_options(CLI::App& command, ContextOptions& options) {
  command
      .add_option("--ctx", options.ctx, "Context length in tokens; 0 = the model's, at most 8192")
      ->check(whole_number_between(0, kMaxContext))
      ->type_name("N");
  std::vector<std::int64_t> budgets(std::begin(kSoftTokenBudgets), std::end(kSoftTokenBudgets));
  command
      .add_option("--image-tokens", options.image_tokens,
                  "Soft tokens a picture may use: 70, 140, 280, 560 or 1120")
      ->check(CLI::IsMember(std::move(budgets)).description(""))
      ->type_name("N");
  command
      .add_option("--mask-rule", options.mask_rule,
                  "Who sees whom in a picture: canonical, legacy or causal")
      ->check(CLI::IsMember({"canonical", "legacy", "causal"}).description(""))
      ->type_name("RULE");
  add_kv_cache_option(command, options.kv_cache);
}

MediaOptions MediaInputOptions::media() const {
  MediaOptions options;
  options.image.max_pixels = max_pixels;
  options.alpha = alpha == "white" ? AlphaMode::kWhite : AlphaMode::kDrop;
  options.video_frames = video_frames;
  return options;
}

void add_media_options(CLI::App& command, MediaInputOptions& options) {
  command
      .add_option("--alpha", options.alpha,
                  "Transparency: drop (as the reference does) or white (put on white)")
      ->check(CLI::IsMember({"drop", "white"}).description(""))
      ->type_name("MODE");
  command
      .add_option("--max-pixels", options.max_pixels,
                  "Refuse pictures with more pixels before decoding them")
      ->check(whole_number_between(1, 1LL << 32U))
      ->type_name("N");
  command
      .add_option("--video-frames", options.video_frames,
                  "Pictures taken of a clip, evenly spread (default 32)")
      ->check(whole_number_between(1, MediaOptions{}.max_frames))
      ->type_name("N");
}

GenerateOptions SamplingOptions::generate(const std::shared_ptr<const Model>& model) const {
  const GenerationConfig& defaults = model->config().generation;
  GenerateOptions options;
  options.max_tokens = max_tokens;
  options.stop = stop;
  SamplerOptions& sampler = options.sampler;
  sampler.temperature = temperature.value_or(defaults.do_sample ? defaults.temperature : 0.0F);
  sampler.top_k = top_k.value_or(defaults.top_k);
  sampler.top_p = top_p.value_or(defaults.top_p);
  sampler.min_p = min_p;
  sampler.repetition_penalty = repetition_penalty;
  sampler.frequency_penalty = frequency_penalty;
  sampler.presence_penalty = presence_penalty;
  for (const std::string& bias : logit_bias) {
    sampler.logit_bias.push_back(parse_bias(bias));
  }
  sampler.seed = seed ? *seed : random_seed();
  options.draft = drafting.draft(model);
  return options;
}

void add_sampling_options(CLI::App& command, SamplingOptions& options) {
  const auto number = [&command](const char* name, auto& target, const char* text, double low,
                                 double high, bool open = false) {
    command.add_option(name, target, text)->check(number_between(low, high, open))->type_name("X");
  };
  const auto whole = [&command](const char* name, auto& target, const char* text, std::int64_t low,
                                std::int64_t high) {
    command.add_option(name, target, text)->check(whole_number_between(low, high))->type_name("N");
  };
  whole("-n,--max-tokens", options.max_tokens, "Longest answer, in tokens", 1, kMaxContext);
  number("--temperature", options.temperature, "Randomness; 0 = always the likeliest token", 0,
         100);
  whole("--top-k", options.top_k, "Draw from the K likeliest tokens; 0 = off", 0, 1LL << 31U);
  number("--top-p", options.top_p, "Draw from the likeliest tokens that add up to P; 1 = off", 0, 1,
         true);
  number("--min-p", options.min_p, "Drop tokens less likely than P times the likeliest; 0 = off", 0,
         1);
  number("--repetition-penalty", options.repetition_penalty,
         "Divide the logits of tokens already there; 1 = off", 0, 10, true);
  number("--frequency-penalty", options.frequency_penalty,
         "Subtracted per occurrence in the answer; 0 = off", -2, 2);
  number("--presence-penalty", options.presence_penalty,
         "Subtracted once from tokens in the answer; 0 = off", -2, 2);
  command
      .add_option("--logit-bias", options.logit_bias,
                  "Added to the logit of a token; may be repeated")
      ->type_name("ID=X")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--stop", options.stop, "End the answer before this text; may be repeated")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--seed", options.seed, "Seed of the random numbers; drawn if not given")
      ->type_name("N");
  add_draft_options(command, options.drafting);
}

ChatOptions ChatTurnOptions::chat() const {
  ChatOptions options;
  options.enable_thinking = think;
  if (!tools_file.empty()) {
    options.tools = read_input_file(tools_file, kMaxToolsBytes);
  }
  return options;
}

ChatFamily ChatTurnOptions::family(const Model& model) const {
  return format == "transcript" ? ChatFamily::kTranscript : model.chat_family();
}

void add_chat_options(CLI::App& command, ChatTurnOptions& options) {
  command.add_option("--system", options.system, "System message")->type_name("TEXT");
  CLI::Option* think =
      command.add_flag("--think", options.think, "Let the model think before it answers");
  command.add_flag("--no-think", options.no_think, "Answer at once (default)")->excludes(think);
  command.add_option("--tools", options.tools_file, "JSON array of OpenAI tool declarations")
      ->type_name("FILE");
  command
      .add_option("--chat-format", options.format,
                  "auto (the model's own) or transcript (plain text, for pretrained models that were "
                  "never taught to answer)")
      ->check(CLI::IsMember({"auto", "transcript"}).description(""))
      ->type_name("FORMAT");
}

}  // namespace nolens::cli
