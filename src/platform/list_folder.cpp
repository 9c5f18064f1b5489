#include "platform/list_folder.h"

#include <cerrno>
#include <dirent.h>
#include <memory>
#include <string_view>

namespace nolens {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

}  // namespace

std::vector<std::string> list_folder(const std::filesystem::path& folder, int& error) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseFolder> open_folder(::opendir(folder.c_str()));
  error = open_folder == nullptr ? errno : 0;
  while (error == 0) {
    errno = 0;  // the only way to tell the end from a failure
    const dirent* const entry = ::readdir(open_folder.get());
    if (entry == nullptr) {
      error = errno;
      break;
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  return names;
}

}  // namespace nolens
