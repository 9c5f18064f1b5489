#include "serve/http/request_reader.h"

#include <charconv>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "serve/http/body_reader.h"
#include "serve/http/head_scanner.h"
#include "serve/http/text.h"

namespace nolens::serve {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

/// Bodies are read by BodyReader: Beast would wait for the end of chunks that are already wrong.
using HeadParser = http::request_parser<http::empty_body>;

std::string text_of(boost::beast::string_view view) {
  return {view.data(), view.size()};
}

/// Digits alone; "2, 2" and "+2" are other people's ideas of a length.
std::optional<std::uint64_t> parse_length(std::string_view text) {
  std::uint64_t length = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, length);
  return error == std::errc{} && stop == end ? std::optional(length) : std::nullopt;
}

}  // namespace

struct RequestReader::Impl {
  explicit Impl(const HttpLimits& limits_) : limits(limits_), scanner(limits_) {
    parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    parser.body_limit(boost::none);  // a declared length is judged with the rest of the head
  }

  Event refuse(int status, std::string message, std::string code) {
    error = bad_request(status, std::move(message), std::move(code));
    return Event::kRefused;
  }

  Event read_head(std::string& bytes);
  Event read_body(std::string& bytes);

  const HttpLimits& limits;
  HeadScanner scanner;
  HeadParser parser;
  std::optional<BodyReader> body;  // once the head is there
  RequestHead head;
  HttpError error = bad_request(400, "", "");
};

RequestReader::Event RequestReader::Impl::read_head(std::string& bytes) {
  switch (scanner.scan(bytes)) {
    case HeadScanner::State::kMore: return Event::kMore;
    case HeadScanner::State::kRefused:
      return refuse(scanner.status(), std::string(scanner.reason()), "bad_request");
    case HeadScanner::State::kComplete: break;
  }
  error_code code;
  const std::size_t used = parser.put(boost::asio::buffer(bytes.data(), scanner.size()), code);
  if (code || !parser.is_header_done() || used != scanner.size()) {
    return refuse(400, "the head of the request is malformed", "bad_request");
  }
  bytes.erase(0, used);
  const auto& message = parser.get();
  head.method = text_of(message.method_string());
  head.target = text_of(message.target());
  for (const auto& field : message) {
    head.headers.emplace_back(text_of(field.name_string()), text_of(field.value()));
  }
  std::string_view value;
  const std::size_t lengths = head.find("content-length", value);
  const std::size_t encodings = head.find("transfer-encoding", value);
  if (lengths + encodings > 1 || (encodings == 1 && !equal_ignoring_case(value, "chunked"))) {
    return refuse(400, "the length of the body is not clear", "bad_request");
  }
  head.is_chunked = encodings == 1;
  if (lengths == 1) {
    head.content_length = parse_length(value);
    if (!head.content_length) {
      return refuse(400, "Content-Length is no number", "bad_request");
    }
  }
  head.keep_alive = parser.keep_alive();
  body.emplace(head.is_chunked ? std::nullopt : std::optional(head.content_length.value_or(0)),
               limits.body_bytes);
  return Event::kHead;
}

RequestReader::Event RequestReader::Impl::read_body(std::string& bytes) {
  switch (body->take(bytes)) {
    case BodyReader::State::kComplete: return Event::kComplete;
    case BodyReader::State::kTooLarge:
      return refuse(
          413,
          "the body of the request is larger than " + std::to_string(limits.body_bytes) + " bytes",
          "request_too_large");
    case BodyReader::State::kMalformed:
      return refuse(400, "the body of the request is malformed", "bad_request");
    case BodyReader::State::kMore: break;
  }
  return Event::kMore;
}

RequestReader::RequestReader(const HttpLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestReader::~RequestReader() = default;

RequestReader::Event RequestReader::next(std::string& bytes) {
  return impl_->body ? impl_->read_body(bytes) : impl_->read_head(bytes);
}

RequestHead& RequestReader::head() {
  return impl_->head;
}

const HttpError& RequestReader::error() const {
  return impl_->error;
}

std::size_t RequestReader::body_bytes() const {
  return impl_->body ? impl_->body->size() : 0;
}

std::string RequestReader::take_body() {
  return impl_->body->take_body();
}

std::size_t RequestHead::find(std::string_view name, std::string_view& value) const {
  std::size_t count = 0;
  for (const auto& [field, text] : headers) {
    if (equal_ignoring_case(field, name)) {
      if (count == 0) {
        value = trimmed(text);
      }
      ++count;
    }
  }
  return count;
}

}  // namespace nolens::serve
