#pragma once

namespace tapegrad {

/// Number of CPUs this process may keep busy: its affinity mask, reduced to the CPU quota of its control
/// groups; at least 1.
int usable_cpus();

}  // namespace tapegrad
