// The token loop of one session.
#include "engine/context.h"
#include "engine/drafted_steps.h"
#include "engine/generation.h"
#include "engine/session_impl.h"
#include "nolens/session.h"

namespace nolens {

GenerateResult Session::generate(const GenerateOptions& options, const TokenCallback& on_token) {
  Context& context = impl_->context;
  validate(options, context.model());
  context.ensure_logits();
  Generation generation(context.model(), options, context.ids());
  DraftedSteps steps(context, options.draft);
  while (true) {
    context.extend_by(generation.draw(context.logits()));
    const std::int64_t room = context.context_length() - context.length();
    if (!generation.deliver(room, on_token)) {
      break;
    }
    steps.step(generation.remaining(room));
  }
  GenerateResult result = generation.close(on_token);
  result.draft = steps.stats();
  return result;
}

}  // namespace nolens
