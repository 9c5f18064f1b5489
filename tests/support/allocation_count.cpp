#include "support/allocation_count.h"

#include <atomic>

#include "support/allocation_hooks.h"

namespace nolens {
namespace {

std::atomic<long> allocations{0};

}  // namespace

bool on_allocation() noexcept {
  ++allocations;
  return true;
}

long allocation_count() noexcept {
  return allocations.load();
}

}  // namespace nolens
