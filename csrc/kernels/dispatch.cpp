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
#endif
#ifdef TAPEGRAD_HAS_V3
TG_DECLARE_TABLE(isa_v3)
#endif
#ifdef TAPEGRAD_HAS_V4
TG_DECLARE_TABLE(isa_v4)
#endif
#ifdef TAPEGRAD_HAS_BASE
TG_DECLARE_TABLE(isa_base)
#endif

const KernelTable* kernels = nullptr;

namespace {

struct Candidate {
  const char* name;
  bool supported;
  const KernelTable& (*table)();
};

#ifdef __x86_64__
[[maybe_unused]] bool has_v2() { return __builtin_cpu_supports("sse4.2"); }
[[maybe_unused]] bool has_v3() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}
[[maybe_unused]] bool has_v4() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
#endif

// Worst first; a null name ends the list.
const Candidate* candidates() {
  static const Candidate all[] = {
#ifdef TAPEGRAD_HAS_BASE
      {"baseline", true, isa_base::table},
#endif
#ifdef TAPEGRAD_HAS_V2
      {"x86-64-v2", has_v2(), isa_v2::table},
#endif
#ifdef TAPEGRAD_HAS_V3
      {"x86-64-v3", has_v3(), isa_v3::table},
#endif
#ifdef TAPEGRAD_HAS_V4
      {"x86-64-v4", has_v4(), isa_v4::table},
#endif
      {nullptr, false, nullptr}};
  return all;
}

}  // namespace

const char* const* available_kernels() {
  static const char* names[5] = {};
  int count = 0;
  for (const Candidate* c = candidates(); c->name; ++c)
    if (c->supported) names[count++] = c->name;
  return names;
}

const char* select_kernels() {
  const char* wanted = getenv("TAPEGRAD_ISA");
  const Candidate* best = nullptr;
  for (const Candidate* c = candidates(); c->name; ++c)
    if (c->supported && (!wanted || !*wanted || strcmp(wanted, c->name) == 0)) best = c;
  if (best) {
    kernels = &best->table();
    return nullptr;
  }
  return wanted ? "TAPEGRAD_ISA names an instruction set that this machine or this build does not have; "
                  "unset it, or "
                  "choose one that tapegrad.show_config() lists"
                : "this processor lacks the instructions that this build of tapegrad was compiled for: "
                  "x86-64-v2 (SSE 4.2) "
                  "unless the build chose other levels";
}

}  // namespace tapegrad
