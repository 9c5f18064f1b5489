#include "serve/http/answer_head.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "serve/http/text.h"

namespace nolens::serve {
namespace {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Other";
  }
}

/// strftime() would write names of the locale.
std::string http_date() {
  constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm t{};
  gmtime_r(&now, &t);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays.at(static_cast<std::size_t>(t.tm_wday)), t.tm_mday,
                kMonths.at(static_cast<std::size_t>(t.tm_mon)), t.tm_year + 1900, t.tm_hour,
                t.tm_min, t.tm_sec);
  return text.data();
}

bool has_field(const Headers& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const auto& field) { return equal_ignoring_case(field.first, name); });
}

bool is_framing(std::string_view name) {
  return equal_ignoring_case(name, "content-length") || equal_ignoring_case(name, "connection") ||
         equal_ignoring_case(name, "transfer-encoding");
}

void add(std::string& text, std::string_view name, std::string_view value) {
  constexpr std::size_t kMaxValueBytes = 8192;
  text.append(name).append(": ").append(escaped(value, kMaxValueBytes)).append("\r\n");
}

void add_all(std::string& text, const Headers* fields) {
  if (fields == nullptr) {
    return;
  }
  for (const auto& [name, value] : *fields) {
    const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(), is_token_char);
    if (is_name && !is_framing(name)) {
      add(text, name, value);
    }
  }
}

}  // namespace

std::string render(const AnswerHead& head) {
  const int status = head.status >= 200 && head.status <= 599 ? head.status : 500;
  std::string text = "HTTP/1.1 " + std::to_string(status) + " ";
  text.append(reason_phrase(status)).append("\r\n");
  add(text, "date", http_date());
  add(text, "x-request-id", head.request_id);
  add(text, "x-content-type-options", "nosniff");
  add(text, "referrer-policy", "no-referrer");
  if (head.extra == nullptr || !has_field(*head.extra, "cache-control")) {
    add(text, "cache-control", "no-store");
  }
  if (!head.content_type.empty()) {
    add(text, "content-type", head.content_type);
  }
  add_all(text, head.fields);
  add_all(text, head.extra);
  if (head.content_length) {
    add(text, "content-length", std::to_string(*head.content_length));
  } else if (!is_bodiless(status)) {
    add(text, "transfer-encoding", "chunked");
  }
  if (!head.keep_alive) {
    add(text, "connection", "close");
  }
  return text + "\r\n";
}

bool is_bodiless(int status) {
  return status == 204 || status == 304;
}

std::string chunk(std::string_view data) {
  std::array<char, 32> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", data.size());
  std::string text(size.data());
  text.reserve(text.size() + data.size() + 2);
  return text.append(data).append("\r\n");
}

}  // namespace nolens::serve
