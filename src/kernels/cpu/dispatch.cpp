// Built without instruction-set flags: nothing here may need what it is asking for.
#include "kernels/cpu/dispatch.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "nolens/error.h"

#include "core/escape.h"
#include "kernels/kernels.h"
#include "platform/cpu_features.h"

namespace nolens {
namespace {

std::vector<const KernelTable*> find_runnable_tables() {
  const CpuFeatures& cpu = cpu_features();
  std::vector<const KernelTable*> tables;
  const auto offer = [&tables](const KernelTable& table, bool runs) {
    if (runs) {
      tables.push_back(&table);
    }
  };
  // Best first.
#ifdef NOLENS_HAVE_X86_TABLES
  offer(kAvx512Bf16Kernels, cpu.avx512bf16);
  offer(kAvx512VnniKernels, cpu.avx512vnni);
  offer(kAvx512Kernels, cpu.avx512);
  offer(kAvx2VnniKernels, cpu.avxvnni);
  offer(kAvx2Kernels, cpu.avx2);
#endif
#ifdef NOLENS_HAVE_NEON_TABLES
  offer(kNeonI8mmKernels, cpu.neon_i8mm);
  offer(kNeonDotprodKernels, cpu.neon_dotprod);
  offer(kNeonKernels, cpu.neon);
#endif
  static_cast<void>(cpu);
  offer(kScalarKernels, true);
  return tables;
}

}  // namespace

const std::vector<const KernelTable*>& runnable_tables() {
  static const std::vector<const KernelTable*> tables = find_runnable_tables();
  return tables;
}

const KernelTable& choose_table() {
  const std::vector<const KernelTable*>& tables = runnable_tables();
  const char* wanted = std::getenv("NOLENS_CPU");
  if (wanted == nullptr || *wanted == '\0') {
    return *tables.front();
  }
  std::string names;
  for (const KernelTable* table : tables) {
    if (std::string_view(table->name) == wanted) {
      return *table;
    }
    names += names.empty() ? "" : ", ";
    names += table->name;
  }
  throw Error(ErrorCode::kUsage, "NOLENS_CPU is '" + escape_for_message(wanted) +
                                     "', which this machine cannot run; expected one of " + names +
                                     ", or leave the variable unset");
}

std::vector<std::string_view> runnable_instruction_sets() {
  std::vector<std::string_view> names;
  for (const KernelTable* table : runnable_tables()) {
    names.emplace_back(table->name);
  }
  return names;
}

}  // namespace nolens
