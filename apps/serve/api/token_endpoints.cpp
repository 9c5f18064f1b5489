#include "serve/api/token_endpoints.h"

#include <string>
#include <vector>

#include "serve/api/body.h"
#include "serve/api/refusals.h"
#include "serve/api/request_fields.h"
#include "serve/api/response_json.h"

namespace nolens::serve {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{16} << 20U;
constexpr std::size_t kMaxTokens = std::size_t{1} << 22U;
constexpr const char* kJson = "application/json";

}  // namespace

void tokenize(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  const Json body = read_body(request);
  RequestFields fields(body, "");
  const auto content = fields.string("content", kMaxTextBytes);
  if (!content.has_value()) {
    fields.fail("content", "is missing: expected a string");
  }
  const bool parse_special = fields.boolean("parse_special").value_or(false);
  const bool with_pieces = fields.boolean("with_pieces").value_or(false);
  const Tokenizer& tokenizer = service.model->tokenizer();
  std::vector<TokenId> ids;
  if (fields.boolean("add_special").value_or(false)) {
    ids.push_back(service.model->config().tokens.bos);
  }
  tokenizer.encode(*content, parse_special ? ParseSpecial::kYes : ParseSpecial::kNo, ids);
  OutputJson tokens = OutputJson::array();
  for (const TokenId id : ids) {
    if (with_pieces) {
      tokens.push_back({{"id", id}, {"piece", tokenizer.decode({id})}});
    } else {
      tokens.push_back(id);
    }
  }
  exchange->respond(200, kJson, to_text({{"tokens", std::move(tokens)}}));
}

void detokenize(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  const Json body = read_body(request);
  RequestFields fields(body, "");
  const Json* tokens = fields.array("tokens", kMaxTokens);
  if (tokens == nullptr) {
    fields.fail("tokens", "is missing: expected an array of token ids");
  }
  const std::int64_t vocab = service.model->config().text.vocab_size;
  std::vector<TokenId> ids;
  for (const Json& token : *tokens) {
    if (!token.is_number_integer() || token < 0 || token >= vocab) {
      fields.fail("tokens", "must hold token ids from 0 to " + std::to_string(vocab - 1));
    }
    ids.push_back(token.get<TokenId>());
  }
  exchange->respond(200, kJson, to_text({{"content", service.model->tokenizer().decode(ids)}}));
}

}  // namespace nolens::serve
