#include "formats/file_kind.h"

namespace nolens {

std::string_view known_impostor(std::string_view head) noexcept {
  if (head.starts_with("PK\x03\x04") || head.starts_with("\x80\x02") ||
      head.starts_with("\x80\x04")) {
    return "this is a PyTorch pickle or ZIP archive; pickle is never read; convert it to "
           "safetensors";
  }
  if (head.starts_with("version ")) {
    return "this is a Git LFS pointer, not the weights; run 'git lfs pull' in the model's folder";
  }
  if (head.starts_with("<!DOCTYP") || head.starts_with("<html") || head.starts_with("<?xml")) {
    return "this is a web page, not the weights; download the file again";
  }
  return {};
}

}  // namespace nolens
