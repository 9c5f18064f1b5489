// Masks of processors. They are arrays of words here, because cpu_set_t has a bit for 1024
// processors only and the kernel refuses a mask smaller than its own.
#include "platform/cpu_affinity.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <sched.h>
#include <set>
#include <string>

namespace nolens {
namespace {

using CpuMask = std::vector<unsigned long>;

constexpr std::size_t kWordBits = std::numeric_limits<unsigned long>::digits;
constexpr std::size_t kFirstBits = 1024;
constexpr std::size_t kMostBits = std::size_t{1} << 20;

std::size_t bytes_of(const CpuMask& mask) noexcept {
  return mask.size() * sizeof(unsigned long);
}

/// Of the calling thread; empty if the system does not say.
CpuMask current_mask() {
  for (std::size_t bits = kFirstBits; bits <= kMostBits; bits *= 2) {
    CpuMask mask(bits / kWordBits);
    if (::sched_getaffinity(0, bytes_of(mask), reinterpret_cast<cpu_set_t*>(mask.data())) == 0) {
      return mask;
    }
    if (errno != EINVAL) {  // which says that the mask is too small
      break;
    }
  }
  return {};
}

int give_mask(pthread_t thread, const CpuMask& mask) noexcept {
  return ::pthread_setaffinity_np(thread, bytes_of(mask),
                                  reinterpret_cast<const cpu_set_t*>(mask.data()));
}

/// Threads of one core name the same siblings. (core_id would not do: clusters repeat it.)
std::string core_of(int cpu) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                     "/topology/thread_siblings_list");
  std::string siblings;
  if (!std::getline(file, siblings) || siblings.empty()) {
    return std::to_string(cpu);  // no topology, as in some containers: each one counts
  }
  return siblings;
}

}  // namespace

std::vector<int> usable_cpus() {
  std::vector<int> cpus;
  const CpuMask mask = current_mask();
  for (std::size_t cpu = 0; cpu < mask.size() * kWordBits; ++cpu) {
    if ((mask[cpu / kWordBits] >> (cpu % kWordBits) & 1U) != 0) {
      cpus.push_back(static_cast<int>(cpu));
    }
  }
  return cpus;
}

std::vector<int> one_cpu_per_core() {
  std::vector<int> cpus;
  std::set<std::string> cores;
  for (const int cpu : usable_cpus()) {
    if (cores.insert(core_of(cpu)).second) {
      cpus.push_back(cpu);
    }
  }
  return cpus;
}

int pin_thread(pthread_t thread, int cpu) {
  const auto index = static_cast<std::size_t>(cpu);
  CpuMask mask(std::max(kFirstBits / kWordBits, index / kWordBits + 1));
  mask[index / kWordBits] = 1UL << (index % kWordBits);
  return give_mask(thread, mask);
}

ThreadPin::ThreadPin(int cpu) {
  if (cpu < 0) {
    return;
  }
  before_ = current_mask();
  error_ = before_.empty() ? ENOSYS : pin_thread(::pthread_self(), cpu);
  if (error_ != 0) {
    before_.clear();
  }
}

ThreadPin::~ThreadPin() {
  if (!before_.empty()) {
    give_mask(::pthread_self(), before_);
  }
}

}  // namespace nolens
