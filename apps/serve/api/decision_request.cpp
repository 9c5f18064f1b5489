// A question becomes the last words of the user's message; its labels are what the model may answer.
#include "serve/api/decision_request.h"

#include <utility>

#include "serve/api/model_endpoints.h"
#include "serve/api/refusals.h"
#include "serve/api/request_fields.h"

namespace nolens::serve {
namespace {

constexpr std::size_t kMaxTextBytes = 16 * 1024;
constexpr std::size_t kMaxNameBytes = 256;

/// Both ways to write it count: models differ in which one they prefer.
const std::vector<std::string> kYesOrNo = {"Yes", "yes", "No", "no"};

struct Question {
  Decision decision;
  std::string text;
  std::vector<std::string> labels;
};

std::string required(RequestFields& fields, const char* name, std::size_t most_bytes) {
  const auto text = fields.string(name, most_bytes);
  if (!text.has_value() || text->empty()) {
    fields.fail(name, "must be a text that is not empty");
  }
  return *text;
}

/// Options of a choice or levels of a score, described to the model one a line.
void read_options(RequestFields& fields, const char* list, const char* key, const std::string& place,
                  bool may_be_boolean, Question& question) {
  const Json* options = fields.array(list, kMaxLabels);
  if (options == nullptr || options->size() < 2) {
    fields.fail(list, "must be an array of 2 to " + std::to_string(kMaxLabels) + " objects");
  }
  question.text += "\nAnswer with exactly one of these:";
  for (std::size_t i = 0; i < options->size(); ++i) {
    RequestFields option((*options)[i], place + "." + list + "[" + std::to_string(i) + "]");
    const Json* value = option.value(key);
    const bool is_boolean = value != nullptr && value->is_boolean() && may_be_boolean;
    const std::string label = is_boolean ? (value->get<bool>() ? "true" : "false")
                                         : required(option, key, kMaxNameBytes);
    const std::string description = option.string("description", kMaxTextBytes).value_or("");
    question.text += "\n- " + label + (description.empty() ? "" : ": " + description);
    question.labels.push_back(label);
    question.decision.values.push_back(*value);
    question.decision.meaning.push_back(i);
  }
}

Question read_question(const Json& json, const std::string& place) {
  RequestFields fields(json, place);
  Question question;
  const auto type = fields.choice("type", {"predicate", "choice", "score"});
  if (!type.has_value()) {
    fields.fail("type", "must be \"predicate\", \"choice\" or \"score\"");
  }
  question.decision.name = required(fields, "name", kMaxNameBytes);
  question.text = required(fields, "instructions", kMaxTextBytes);
  if (*type == "predicate") {
    question.text += "\nAnswer with Yes or No.";
    question.labels = kYesOrNo;
    question.decision.meaning = {0, 0, 1, 1};
  } else if (*type == "choice") {
    question.decision.kind = DecisionKind::kChoice;
    read_options(fields, "choices", "value", place, true, question);
  } else {
    question.decision.kind = DecisionKind::kScore;
    read_options(fields, "levels", "label", place, false, question);
  }
  return question;
}

/// The input as messages, of which the last one is the user's.
std::vector<Message> read_input(RequestFields& fields, const Service& service) {
  const Json* input = fields.value("input");
  if (input == nullptr) {
    fields.fail("input", "is missing: expected a text, or messages");
  }
  Json messages = *input;
  if (input->is_string()) {
    messages = Json::array({{{"role", "user"}, {"content", *input}}});
  }
  if (!messages.is_array() || messages.empty() || messages.size() > service.options.max_messages) {
    fields.fail("input", "must be a text, or an array of 1 to " +
                             std::to_string(service.options.max_messages) + " messages");
  }
  std::vector<Message> parsed = parse_messages(messages.dump(), {}, service.options.media);
  if (parsed.back().role != Role::kUser) {
    fields.fail("input", "must end with a message of the user");
  }
  for (Message& message : parsed) {
    scale_pictures(message.content, *service.model, service.engine.options().session);
  }
  parsed.back().content_is_string = false;
  return parsed;
}

}  // namespace

DecisionCall read_decision_request(const Json& body, const Service& service) {
  RequestFields fields(body, "");
  require_model(fields.string("model", 1024).value_or(""), service);
  const Json* questions = fields.array("questions", kMaxQuestions);
  if (questions == nullptr || questions->empty()) {
    fields.fail("questions", "must be an array of 1 to " + std::to_string(kMaxQuestions) + " questions");
  }
  DecisionCall call;
  std::vector<Message> messages = read_input(fields, service);
  ChatOptions chat;
  chat.family = service.options.family;
  for (std::size_t i = 0; i < questions->size(); ++i) {
    Question question = read_question((*questions)[i], "questions[" + std::to_string(i) + "]");
    messages.back().content.emplace_back(TextPart{"\n" + question.text});
    call.request.questions.push_back({render_chat(messages, chat), std::move(question.labels)});
    messages.back().content.pop_back();
    call.decisions.push_back(std::move(question.decision));
  }
  fields.ignore({"store", "metadata", "user", "safety_identifier", "service_tier"});
  call.ignored = fields.unknown();
  return call;
}

}  // namespace nolens::serve
