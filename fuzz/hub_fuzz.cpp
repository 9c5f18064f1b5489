// What a hub sends. The first byte chooses: the list of files, the head of an answer with its
// headers, an address. What is accepted must be safe to use as a path, a number or a place to
// connect to.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "nolens/error.h"

#include "hub/headers.h"
#include "hub/names.h"
#include "hub/selection.h"
#include "hub/tree.h"
#include "hub/url.h"

namespace {

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

/// Below the folder it is put into, whatever the parts say.
void check_inside(const std::string& name) {
  const std::filesystem::path path = (std::filesystem::path("/folder") / name).lexically_normal();
  require(path.native().starts_with("/folder/") && path.native().size() > 8);
  require(name.find('\0') == std::string::npos);
}

void try_tree(std::string_view text) {
  nolens::hub::RepoTree tree;
  std::int64_t total = 0;
  tree.add_page(text);
  const auto files = tree.finish();
  for (const nolens::hub::RepoFile& file : files) {
    check_inside(file.name);
    require(file.bytes >= 0 && !__builtin_add_overflow(total, file.bytes, &total));
    require(file.sha256.empty() || nolens::hub::is_sha256(file.sha256));
    static_cast<void>(nolens::hub::matches_glob("*[a-c]?*.json", file.name));
  }
  static_cast<void>(nolens::hub::select_files(files, {}, {}, "org/name"));
}

void try_head(std::string_view text) {
  using nolens::hub::HeadParser;
  HeadParser parser;
  auto state = HeadParser::State::kMore;
  while (!text.empty() && state == HeadParser::State::kMore) {
    const std::size_t end = text.find('\n');
    state = parser.feed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  const nolens::hub::HttpHead& head = parser.head();
  if (const auto blob = nolens::hub::blob_name_from_etag(head.get("etag"))) {
    check_inside(*blob);
    require(blob->find('/') == std::string::npos);
  }
  if (const auto range = nolens::hub::parse_content_range(head.get("content-range"))) {
    require(0 <= range->first && range->first <= range->last);
  }
  require(nolens::hub::retry_after_seconds(head).value_or(0) >= 0);
  const auto base = nolens::hub::parse_url("https://hub.example/a?b");
  for (const auto& link : {nolens::hub::next_link(head.get("link")),
                           std::optional<std::string>(head.get("location"))}) {
    const auto url = link ? nolens::hub::resolve_reference(*base, *link) : std::nullopt;
    require(!url || nolens::hub::parse_url(url->text()) != std::nullopt);
  }
}

void try_url(std::string_view text) {
  const auto url = nolens::hub::parse_url(text);
  if (url) {
    // What is sent is what was checked: writing and reading it again changes nothing.
    const auto again = nolens::hub::parse_url(url->text());
    require(again && again->same_origin(*url) && again->target == url->target);
    require(url->host.find('@') == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0]) {
      case 't': try_tree(text); break;
      case 'h': try_head(text); break;
      case 'u': try_url(text); break;
      case 'c': static_cast<void>(nolens::hub::parse_commit(text)); break;
      default: break;
    }
  } catch (const nolens::Error&) {  // the only way to refuse
  }
  return 0;
}
