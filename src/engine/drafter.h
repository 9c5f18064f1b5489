// Who proposes the tokens that are computed ahead.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/context.h"

namespace nolens {

/// Guesses how an answer goes on. Guesses change the speed and never the answer: the model computes
/// them ahead, and what it does not choose itself is forgotten (context.h). One for each answer.
class Drafter {
 public:
  Drafter() = default;
  virtual ~Drafter() = default;
  Drafter(const Drafter&) = delete;
  Drafter& operator=(const Drafter&) = delete;

  /// Appends at most `most` tokens that may follow context.ids(), whose last token still waits to
  /// be computed. Since the last call the context has only grown.
  virtual void propose(Context& context, std::int64_t most, std::vector<TokenId>& draft) = 0;
};

/// False for tokens the model cannot choose as an answer, and for those that end one: what comes
/// after them is never asked for.
bool may_be_drafted(TokenId id, const Model::Impl& model);

}  // namespace nolens
