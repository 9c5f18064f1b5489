// What the hub's error codes mean for a person. Source: hf_raise_for_status of huggingface_hub.
#include <algorithm>

#include "core/escape.h"
#include "hub/hub_client.h"

namespace nolens::hub {
namespace {

std::string token_state(const HubSettings& settings) {
  return settings.token.empty()
             ? "no token was sent"
             : "the token from " + escape_for_message(settings.token_source) + " was sent";
}

std::string details(const HttpHead& head) {
  const auto message = head.find("x-error-message");
  return message && !message->empty() ? ": " + escape_for_message(*message, 200) : "";
}

}  // namespace

std::string refusal_text(const HttpHead& head, const Subject& subject,
                         const HubSettings& settings) {
  const std::string code = head.get("x-error-code");
  const std::string message = head.get("x-error-message");
  const std::string page = settings.endpoint + "/" + subject.repo;
  if (code == "GatedRepo") {
    return subject.repo + " is gated: accept its terms at " + page +
           " with your account, then set HF_TOKEN to an access token of that account (" +
           token_state(settings) + ")";
  }
  if (code == "RevisionNotFound") {
    return subject.repo + " has no revision '" + escape_for_message(subject.revision) +
           "'; its branches and tags are at " + page + "/tree/main";
  }
  if (code == "EntryNotFound") {
    return subject.repo + " has no file '" + escape_for_message(subject.file) + "' in revision '" +
           escape_for_message(subject.revision) + "'";
  }
  if (message == "Access to this resource is disabled.") {
    return page + " is disabled by the hub";
  }
  if (head.status == 401 && message.starts_with("Invalid credentials")) {
    return settings.endpoint + " does not accept the access token from " +
           escape_for_message(settings.token_source) + "; make a new one or remove it";
  }
  if (code == "RepoNotFound" || head.status == 401 || head.status == 404) {
    return "there is no model " + subject.repo + " at " + settings.endpoint +
           (settings.token.empty()
                ? " that may be seen without an access token; check the name, and for a private or "
                  "gated model set HF_TOKEN"
                : " that may be seen with the token from " +
                      escape_for_message(settings.token_source) +
                      "; check the name and what the token may read");
  }
  if (head.status == 403) {
    return "access to " + subject.repo + " is forbidden" + details(head) + " (" +
           token_state(settings) + "; check what the token may read)";
  }
  return settings.endpoint + " answers with status " + std::to_string(head.status) + " for " +
         subject.repo + details(head);
}

}  // namespace nolens::hub
