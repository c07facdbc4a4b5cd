#include "core/cpu_count.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace tapegrad {
namespace {

int hardware_cpus() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

#ifdef __linux__

int affinity_cpus() {
  // The kernel refuses masks shorter than its own, so machines with more than CPU_SETSIZE CPUs need a longer
  // one.
  for (int capacity = CPU_SETSIZE; capacity <= (1 << 20); capacity *= 4) {
    cpu_set_t* set = CPU_ALLOC(capacity);
    if (set == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(capacity);
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return hardware_cpus();
}

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

/// CPUs granted to one control group directory: version 2 has "max|quota period" in one file, version 1 two
/// files.
double group_quota(const std::string& directory) {
  double quota = -1, period = 0;
  if (std::ifstream file{directory + "/cpu.max"}) {
    file >> quota >> period;  // "max" fails to parse and leaves no quota
  } else {
    std::ifstream{directory + "/cpu.cfs_quota_us"} >> quota;
    std::ifstream{directory + "/cpu.cfs_period_us"} >> period;
  }
  return quota > 0 && period > 0 ? quota / period : kNoQuota;
}

/// Smallest quota on the way from `group` up to the root of the hierarchy mounted at `mount`.
double hierarchy_quota(const std::string& mount, std::string group) {
  double quota = kNoQuota;
  while (true) {
    quota = std::min(quota, group_quota(mount + group));
    const size_t slash = group.find_last_of('/');
    if (slash == std::string::npos) return quota;
    group.resize(slash);
  }
}

bool lists_cpu(const std::string& controllers) {
  return ("," + controllers + ",").find(",cpu,") != std::string::npos;
}

double cgroup_quota() {
  double quota = kNoQuota;
  std::ifstream groups("/proc/self/cgroup");
  // Each line reads "hierarchy:controllers:path"; version 2 has no controllers.
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1),
                      path = line.substr(second + 1);
    if (controllers.empty()) {
      quota = std::min(quota, hierarchy_quota("/sys/fs/cgroup", path));
    } else if (lists_cpu(controllers)) {
      quota = std::min(quota, hierarchy_quota("/sys/fs/cgroup/" + controllers, path));
    }
  }
  return quota;
}

#endif

}  // namespace

int usable_cpus() {
#ifdef __linux__
  const double quota = cgroup_quota();
  const int cpus = affinity_cpus();
  return quota < cpus ? std::max(1, static_cast<int>(std::ceil(quota))) : cpus;
#else
  return hardware_cpus();
#endif
}

}  // namespace tapegrad
