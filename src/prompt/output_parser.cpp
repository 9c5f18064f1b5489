// Streamed model text -> reasoning, answer, tool calls.
//
// A small state machine over markers. Text that may be the beginning of a marker is held back, so
// the result does not depend on how the text was cut.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "nolens/chat.h"

#include "prompt/tool_call_parser.h"

namespace nolens {
namespace {

constexpr std::string_view kChannelBegin = "<|channel>";
constexpr std::string_view kChannelEnd = "<channel|>";
constexpr std::string_view kThought = "thought\n";
constexpr std::string_view kCallBegin = "<|tool_call>";
constexpr std::string_view kCallEnd = "<tool_call|>";
constexpr std::string_view kQuote = "<|\"|>";
// End the answer; no part of it when nothing but white space follows.
constexpr std::array<std::string_view, 3> kEndMarks = {"<turn|>", "<eos>", "<|tool_response>"};

constexpr std::array<std::string_view, 5> kAnswerMarks = {kChannelBegin, kCallBegin, kEndMarks[0],
                                                          kEndMarks[1], kEndMarks[2]};
constexpr std::array<std::string_view, 4> kReasoningMarks = {kChannelEnd, kEndMarks[0],
                                                             kEndMarks[1], kEndMarks[2]};
constexpr std::array<std::string_view, 2> kCallMarks = {kCallEnd, kQuote};
constexpr std::string_view kBlank = " \t\r\n";

bool is_blank(std::string_view text) noexcept {
  return text.find_first_not_of(kBlank) == std::string_view::npos;
}

struct Found {
  std::size_t position = 0;  ///< everything before it is certain
  std::string_view mark;     ///< empty if the text has to grow before more can be said
};

/// The first mark in `text` from `begin` on, or where an unfinished one may begin.
Found find_mark(std::string_view text, std::size_t begin, const std::string_view* marks,
                std::size_t count) {
  for (std::size_t i = text.find('<', begin); i != std::string_view::npos;
       i = text.find('<', i + 1)) {
    const std::string_view rest = text.substr(i);
    for (std::size_t k = 0; k < count; ++k) {
      if (rest.starts_with(marks[k])) {
        return {i, marks[k]};
      }
    }
    for (std::size_t k = 0; k < count; ++k) {
      if (marks[k].starts_with(rest)) {
        return {i, {}};
      }
    }
  }
  return {text.size(), {}};
}

}  // namespace

struct OutputParser::Impl {
  enum class State : std::uint8_t { kAnswer, kChannelName, kReasoning, kCall };

  explicit Impl(ChatFamily family) : family_(family) {}

  Delta push(std::string_view text) {
    Delta delta;
    if (family_ == ChatFamily::kGemma3) {
      delta.text = text;
      return delta;
    }
    pending_ += text;
    if (family_ == ChatFamily::kTranscript) {
      take_trimmed(delta);
      return delta;
    }
    while (step(delta)) {
    }
    pending_.erase(0, consumed_);
    scanned_ -= std::min(scanned_, consumed_);
    consumed_ = 0;
    return delta;
  }

  Delta finish() {
    Delta delta;
    if (family_ == ChatFamily::kTranscript) {
      pending_.clear();
    }
    switch (state_) {
      case State::kAnswer: add_answer(pending_, delta); break;
      case State::kChannelName:
        if (!kThought.starts_with(pending_)) {
          add_reasoning(pending_, delta);
        }
        break;
      case State::kReasoning: add_reasoning(pending_, delta); break;
      case State::kCall: add_answer(std::string(kCallBegin) + pending_, delta); break;
    }
    *this = Impl(family_);
    return delta;
  }

 private:
  std::string_view rest() const { return std::string_view(pending_).substr(consumed_); }

  /// White space waits for the text that shows it to be neither the beginning nor the end.
  void take_trimmed(Delta& delta) {
    const std::size_t end =
        pending_.find_last_not_of(kBlank) + 1;  // 0 if there is only white space
    if (end > 0) {
      const std::size_t begin = has_text_ ? 0 : pending_.find_first_not_of(kBlank);
      delta.text = pending_.substr(begin, end - begin);
      pending_.erase(0, end);
      has_text_ = true;
    }
  }

  void enter(State state) {
    state_ = state;
    scanned_ = consumed_;
  }

  /// Consumes what is certain; false if more text is needed.
  bool step(Delta& delta) {
    switch (state_) {
      case State::kAnswer: return step_answer(delta);
      case State::kChannelName: return step_channel_name();
      case State::kReasoning: return step_reasoning(delta);
      case State::kCall: return step_call(delta);
    }
    return false;
  }

  bool step_answer(Delta& delta) {
    const Found found = find_mark(rest(), 0, kAnswerMarks.data(), kAnswerMarks.size());
    add_answer(rest().substr(0, found.position), delta);
    consumed_ += found.position + found.mark.size();
    if (found.mark == kChannelBegin) {
      enter(State::kChannelName);
    } else if (found.mark == kCallBegin) {
      enter(State::kCall);
    } else {
      held_ += found.mark;
    }
    return !found.mark.empty();
  }

  /// Skips "thought\n"; a channel of another name is reasoning as a whole.
  bool step_channel_name() {
    if (rest().size() < kThought.size() && kThought.starts_with(rest())) {
      return false;
    }
    consumed_ += rest().starts_with(kThought) ? kThought.size() : 0;
    separate_reasoning_ = has_reasoning_;
    enter(State::kReasoning);
    return true;
  }

  bool step_reasoning(Delta& delta) {
    const Found found = find_mark(rest(), 0, kReasoningMarks.data(), kReasoningMarks.size());
    std::string_view certain = rest().substr(0, found.position);
    // The template writes "\n<channel|>": that line break is no part of the reasoning.
    if (certain.ends_with('\n')) {
      certain.remove_suffix(1);
    }
    add_reasoning(certain, delta);
    if (found.mark.empty()) {
      consumed_ += certain.size();
      return false;
    }
    consumed_ += found.position + found.mark.size();
    if (found.mark != kChannelEnd) {
      held_ += found.mark;
    }
    enter(State::kAnswer);
    return true;
  }

  /// Looks for the end of the call outside of its strings.
  bool step_call(Delta& delta) {
    const Found found = find_mark(pending_, scanned_, kCallMarks.data(), kCallMarks.size());
    scanned_ = found.position + found.mark.size();
    if (found.mark.empty()) {
      return false;
    }
    if (found.mark == kQuote) {
      in_string_ = !in_string_;
      return true;
    }
    if (in_string_) {
      return true;
    }
    const std::string_view text =
        std::string_view(pending_).substr(consumed_, found.position - consumed_);
    if (std::optional<ToolCall> call = parse_tool_call(text)) {
      add_held(delta);
      call->id = "call_" + std::to_string(calls_++);
      delta.tool_calls.push_back(std::move(*call));
    } else {
      add_answer(std::string(kCallBegin) + std::string(text) + std::string(kCallEnd), delta);
    }
    consumed_ = scanned_;
    enter(State::kAnswer);
    return true;
  }

  void add_held(Delta& delta) {
    delta.text += held_;
    held_.clear();
  }

  /// Text after an end mark shows that the mark was no end.
  void add_answer(std::string_view text, Delta& delta) {
    if (!held_.empty()) {
      if (is_blank(text)) {
        held_ += text;
        return;
      }
      add_held(delta);
    }
    delta.text += text;
  }

  void add_reasoning(std::string_view text, Delta& delta) {
    if (text.empty()) {
      return;
    }
    add_held(delta);
    if (separate_reasoning_) {
      delta.reasoning += '\n';
      separate_reasoning_ = false;
    }
    delta.reasoning += text;
    has_reasoning_ = true;
  }

  ChatFamily family_;
  State state_ = State::kAnswer;
  std::string pending_;       // not yet consumed
  std::size_t consumed_ = 0;  // bytes of pending_ that are done with, during a push
  std::size_t scanned_ = 0;   // kCall: bytes of pending_ without the end of the call
  std::string held_;          // an end mark and white space after it
  bool in_string_ = false;    // kCall
  bool has_text_ = false;     // kTranscript: some of the answer was delivered
  bool has_reasoning_ = false;
  bool separate_reasoning_ = false;
  std::size_t calls_ = 0;
};

OutputParser::OutputParser(ChatFamily family) : impl_(std::make_unique<Impl>(family)) {}
OutputParser::~OutputParser() = default;
OutputParser::OutputParser(OutputParser&&) noexcept = default;
OutputParser& OutputParser::operator=(OutputParser&&) noexcept = default;

OutputParser::Delta OutputParser::push(std::string_view text) {
  return impl_->push(text);
}
OutputParser::Delta OutputParser::finish() {
  return impl_->finish();
}

ParsedOutput parse_output(std::string_view text, ChatFamily family) {
  OutputParser parser(family);
  OutputParser::Delta delta = parser.push(text);
  OutputParser::Delta rest = parser.finish();
  delta.tool_calls.insert(delta.tool_calls.end(), rest.tool_calls.begin(), rest.tool_calls.end());
  return {delta.reasoning + rest.reasoning, delta.text + rest.text, std::move(delta.tool_calls)};
}

}  // namespace nolens
