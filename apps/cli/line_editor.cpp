#include "line_editor.h"

#include <array>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <histedit.h>
#include <iostream>

#include "interrupt.h"
#include "terminal.h"

namespace nolens::cli {

namespace {

constexpr int kHistoryLines = 500;

}  // namespace

struct LineEditor::Impl {
  EditLine* editor = nullptr;
  History* history = nullptr;
  HistEvent event{};
  std::string prompt;

  static char* prompt_of(EditLine* line) {
    void* data = nullptr;
    el_get(line, EL_CLIENTDATA, &data);
    return static_cast<Impl*>(data)->prompt.data();
  }
};

LineEditor::LineEditor() : impl_(std::make_unique<Impl>()) {
  if (!stdin_is_terminal() || !stdout_is_terminal()) {
    return;
  }
  std::setlocale(LC_CTYPE, "");
  impl_->editor = el_init("nolens", stdin, stdout, stderr);
  impl_->history = history_init();
  if (impl_->editor == nullptr || impl_->history == nullptr) {
    return;
  }
  history(impl_->history, &impl_->event, H_SETSIZE, kHistoryLines);
  history(impl_->history, &impl_->event, H_SETUNIQUE, 1);
  el_set(impl_->editor, EL_CLIENTDATA, impl_.get());
  el_set(impl_->editor, EL_PROMPT, &Impl::prompt_of);
  el_set(impl_->editor, EL_EDITOR, "emacs");
  el_set(impl_->editor, EL_HIST, history, impl_->history);
  el_set(impl_->editor, EL_SIGNAL, 0);
  el_source(impl_->editor, nullptr);
}

LineEditor::~LineEditor() {
  if (impl_->editor != nullptr) {
    el_end(impl_->editor);
  }
  if (impl_->history != nullptr) {
    history_end(impl_->history);
  }
}

std::optional<std::string> LineEditor::read_line(const std::string& prompt) {
  if (impl_->editor == nullptr) {
    std::string line;
    if (!std::getline(std::cin, line)) {
      return std::nullopt;
    }
    return line;
  }
  impl_->prompt = prompt;
  int count = 0;
  const char* text = el_gets(impl_->editor, &count);
  if (caught_signal() != 0) {
    el_reset(impl_->editor);
    print_error("\n");
    return std::string();
  }
  if (text == nullptr || count <= 0) {
    return std::nullopt;
  }
  std::string line(text, static_cast<std::size_t>(count));
  if (line.ends_with('\n')) {
    line.pop_back();
  }
  return line;
}

void LineEditor::remember(const std::string& line) {
  if (impl_->history != nullptr && !line.empty()) {
    history(impl_->history, &impl_->event, H_ENTER, line.c_str());
  }
}

}  // namespace nolens::cli
