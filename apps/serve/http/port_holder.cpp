#include "serve/http/port_holder.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "serve/http/text.h"

namespace nolens::serve {
namespace {

namespace fs = std::filesystem;

/// Adds the sockets of one of the kernel's tables that listen on `port`, as their links are called.
void add_listeners(const char* table, std::uint16_t port, std::set<std::string>& sockets) {
  constexpr std::string_view kListening = "0A";
  std::ifstream stream(table);
  std::string line;
  std::getline(stream, line);  // the names of the columns
  while (std::getline(stream, line)) {
    std::istringstream columns(line);
    std::string slot, local, remote, state, queues, timer, retransmits, user, timeout, inode;
    columns >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user >>
        timeout >> inode;
    const std::size_t colon = local.find(':');
    if (state == kListening && colon != std::string::npos &&
        std::strtoul(local.c_str() + colon + 1, nullptr, 16) == port) {
      sockets.insert("socket:[" + inode + "]");
    }
  }
}

bool holds_one(const fs::path& process, const std::set<std::string>& sockets) {
  std::error_code error;
  for (fs::directory_iterator entry(process / "fd", error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (sockets.count(fs::read_symlink(entry->path(), ignored).string()) > 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string holder_of_port(std::uint16_t port) {
  std::set<std::string> sockets;
  add_listeners("/proc/net/tcp", port, sockets);
  add_listeners("/proc/net/tcp6", port, sockets);
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end;
       !sockets.empty() && !error && entry != end; entry.increment(error)) {
    const std::string number = entry->path().filename().string();
    if (std::all_of(number.begin(), number.end(), is_digit) && holds_one(entry->path(), sockets)) {
      std::ifstream stream(entry->path() / "comm");
      std::string name;
      std::getline(stream, name);
      return escaped(name) + " (process " + number + ")";
    }
  }
  return {};
}

}  // namespace nolens::serve
