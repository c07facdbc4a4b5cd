#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"

namespace tapegrad {

// Each per-ISA copy of table.cpp defines its own.
#define TG_DECLARE_TABLE(NAMESPACE) \
  namespace NAMESPACE {             \
  const KernelTable& table();       \
  }
#ifdef TAPEGRAD_HAS_V2
TG_DECLARE_TABLE(isa_v2)
TG_DECLARE_TABLE(isa_v3)
TG_DECLARE_TABLE(isa_v4)
#else
TG_DECLARE_TABLE(isa_base)
#endif

const KernelTable* kernels = nullptr;

namespace {

struct Candidate {
  const char* name;
  bool supported;
  const KernelTable& (*table)();
};

struct Candidates {
  Candidate list[3];
  int count;
};

// Worst first.
const Candidates& candidates() {
#ifdef TAPEGRAD_HAS_V2
  __builtin_cpu_init();
  static const Candidates all = {{{"x86-64-v2", __builtin_cpu_supports("sse4.2") != 0, isa_v2::table},
                                  {"x86-64-v3",
                                   __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                                       __builtin_cpu_supports("bmi2"),
                                   isa_v3::table},
                                  {"x86-64-v4",
                                   __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                       __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                                       __builtin_cpu_supports("avx512vl"),
                                   isa_v4::table}},
                                 3};
#else
  static const Candidates all = {{{"baseline", true, isa_base::table}}, 1};
#endif
  return all;
}

}  // namespace

const char* const* available_kernels() {
  static const char* names[4] = {};
  int count = 0;
  const Candidates& all = candidates();
  for (int i = 0; i < all.count; ++i)
    if (all.list[i].supported) names[count++] = all.list[i].name;
  return names;
}

const char* select_kernels() {
  const char* wanted = getenv("TAPEGRAD_ISA");
  const Candidates& all = candidates();
  for (int i = all.count - 1; i >= 0; --i) {
    const Candidate& candidate = all.list[i];
    if (!candidate.supported || (wanted && *wanted && strcmp(wanted, candidate.name) != 0)) continue;
    kernels = &candidate.table();
    return nullptr;
  }
  return wanted ? "TAPEGRAD_ISA names an instruction set that this machine or this build does not have; unset it, or "
                  "choose one that tapegrad.show_config() lists"
                : "this processor lacks the instructions of x86-64-v2 (SSE 4.2), which tapegrad needs";
}

}  // namespace tapegrad
