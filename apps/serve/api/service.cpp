#include "serve/api/service.h"

#include <ctime>
#include <utility>

namespace nolens::serve {

Service::Service(std::shared_ptr<const Model> served, const EngineOptions& engine_options,
                 ServiceOptions service_options)
    : options(std::move(service_options)),
      model(std::move(served)),
      engine(model, engine_options),
      created(std::time(nullptr)) {}

}  // namespace nolens::serve
