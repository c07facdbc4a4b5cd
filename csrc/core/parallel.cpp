#include "core/parallel.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/cpu_count.h"
#include "core/error.h"

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tapegrad {
namespace {

// Note [Protocol of the pool]
// One region runs at a time; its owner holds the lock. The owner writes the region's fields, then stores the
// number of chunks still to be claimed in the low bits of `state_`; the high bits count the workers that are
// running chunks. A worker claims its first chunk and counts itself in one step, so the region is over when
// `state_` is zero, and until then its fields do not change. A worker that wakes up late finds nothing, or
// helps with the next region; nobody waits for sleepers. Idle workers watch `state_` for a few microseconds,
// then sleep on `epoch_`.

constexpr auto kSpinTime = std::chrono::microseconds(8);
constexpr int kSpinsPerClockRead = 16;
constexpr uint64_t kOneActive = uint64_t{1} << 48;
constexpr uint64_t kUnclaimed = kOneActive - 1;

thread_local bool inside_region = false;

void pause_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

/// Polls `ready` for about kSpinTime; returns whether it became true.
template <class Ready>
bool spin_until(Ready ready) {
  const auto deadline = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kSpinsPerClockRead; ++i) {
      if (ready()) return true;
      pause_cpu();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return ready();
}

using Word = std::atomic<uint32_t>;

#ifdef __linux__

void sleep_while_equal(Word& word, uint32_t value) {
  static_assert(sizeof(Word) == sizeof(uint32_t) && Word::is_always_lock_free);
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void wake(Word& word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

#else

void sleep_while_equal(Word& word, uint32_t value) { word.wait(value); }

void wake(Word& word, int count) { count == 1 ? word.notify_one() : word.notify_all(); }

#endif

class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  /// Keeps the pool locked, so that threads that outlive it run inline.
  ~Pool() {
    if (try_lock()) stop_workers();
  }

  bool try_lock() {
    return !busy_.load(std::memory_order_relaxed) && !busy_.exchange(true, std::memory_order_acquire);
  }
  void unlock() { busy_.store(false, std::memory_order_release); }

  void run(int threads, int64_t begin, int64_t end, int64_t grain, int64_t chunks,
           detail::ChunkFunction function, void* context);

  static void before_fork() { instance.workers_mutex_.lock(); }
  static void after_fork_in_parent() { instance.workers_mutex_.unlock(); }
  static void after_fork_in_child();

  static Pool instance;

 private:
  void resize(int threads);
  void stop_workers();
  void announce(uint64_t chunks);
  void await_workers();
  void run_chunk(int64_t index) noexcept;
  bool claim_chunk(uint64_t joining, int64_t& index);
  void work();
  bool has_chunks() const { return (state_.load() & kUnclaimed) != 0; }
  static void* worker_main(void* pool);

  // Written by the owner while no chunk is claimed.
  detail::ChunkFunction function_ = nullptr;
  void* context_ = nullptr;
  int64_t begin_ = 0, end_ = 0, grain_ = 1, chunks_ = 0;
  bool spins_ = true;

  alignas(64) std::atomic<uint64_t> state_{0};
  alignas(64) Word owner_sleeps_{0};
  alignas(64) Word epoch_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
  alignas(64) std::atomic<bool> busy_{false};
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;

  int threads_ = 1;           // what the workers were started for
  std::mutex workers_mutex_;  // held while threads start and stop, and across fork
  std::vector<pthread_t> workers_;
};

Pool Pool::instance;

void Pool::run(int threads, int64_t begin, int64_t end, int64_t grain, int64_t chunks,
               detail::ChunkFunction function, void* context) {
  if (threads != threads_) resize(threads);
  function_ = function;
  context_ = context;
  begin_ = begin;
  end_ = end;
  grain_ = grain;
  chunks_ = chunks;
  announce(chunks - 1);
  run_chunk(0);  // the owner's first chunk needs no claim
  for (int64_t index; claim_chunk(0, index);) run_chunk(index);
  await_workers();
  if (failed_.load(std::memory_order_relaxed)) {
    failed_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void Pool::announce(uint64_t chunks) {
  // Sequentially consistent against a worker that counts itself in sleepers_ and then looks at state_.
  state_.store(chunks);
  const int sleepers = sleepers_.load();
  if (sleepers == 0) return;
  epoch_.fetch_add(1);
  wake(epoch_, static_cast<int>(std::min<uint64_t>(sleepers, chunks)));
}

void Pool::run_chunk(int64_t index) noexcept {
  const int64_t lo = begin_ + index * grain_;
  try {
    function_(context_, lo, end_ - lo > grain_ ? lo + grain_ : end_);
  } catch (...) {
    if (!failed_.exchange(true)) failure_ = std::current_exception();
    state_.fetch_and(~kUnclaimed);  // nobody needs the other chunks
  }
}

/// Claims the next chunk, if there is one, and adds `joining` to the state in the same step.
bool Pool::claim_chunk(uint64_t joining, int64_t& index) {
  uint64_t state = state_.load(std::memory_order_relaxed);
  do {
    if ((state & kUnclaimed) == 0) return false;
  } while (!state_.compare_exchange_weak(state, state - 1 + joining, std::memory_order_acq_rel));
  index = chunks_ - static_cast<int64_t>(state & kUnclaimed);
  return true;
}

void Pool::await_workers() {
  const auto done = [this] { return state_.load(std::memory_order_acquire) == 0; };
  if (done() || (spins_ && spin_until(done))) return;
  while (true) {
    owner_sleeps_.store(1);
    if (state_.load() == 0) break;
    sleep_while_equal(owner_sleeps_, 1);
  }
  owner_sleeps_.store(0);
}

void Pool::work() {
  while (true) {
    const auto has_news = [this] { return has_chunks() || stopping_.load(); };
    if (!has_news() && !(spins_ && spin_until(has_news))) {
      sleepers_.fetch_add(1);
      const uint32_t epoch = epoch_.load();
      if (!has_news()) sleep_while_equal(epoch_, epoch);
      sleepers_.fetch_sub(1);
    }
    if (stopping_.load()) return;
    int64_t index;
    if (!claim_chunk(kOneActive, index)) continue;
    do run_chunk(index);
    while (claim_chunk(0, index));
    if (state_.fetch_sub(kOneActive) == kOneActive && owner_sleeps_.exchange(0) != 0) wake(owner_sleeps_, 1);
  }
}

void* Pool::worker_main(void* pool) {
  inside_region = true;
  static_cast<Pool*>(pool)->work();
  return nullptr;
}

void Pool::resize(int threads) {
  stop_workers();
  const std::lock_guard lock(workers_mutex_);
  workers_.reserve(threads - 1);
  threads_ = threads;
  spins_ = threads <= usable_cpus();
  // Signals belong to the program's own threads; workers inherit this mask.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  for (int i = 1; i < threads; ++i) {
    pthread_t worker;
    if (pthread_create(&worker, nullptr, &Pool::worker_main, this) != 0)
      break;  // the system's limit: do with fewer
    workers_.push_back(worker);
  }
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}

void Pool::stop_workers() {
  const std::lock_guard lock(workers_mutex_);
  stopping_.store(true);
  epoch_.fetch_add(1);
  wake(epoch_, INT_MAX);
  for (const pthread_t worker : workers_) pthread_join(worker, nullptr);
  workers_.clear();
  stopping_.store(false);
  threads_ = 1;
}

/// The child has the forking thread only: it forgets the workers and any region that another thread was
/// running.
void Pool::after_fork_in_child() {
  Pool& pool = instance;
  pool.workers_.clear();
  pool.threads_ = 1;
  pool.state_ = 0;
  pool.owner_sleeps_ = 0;
  pool.sleepers_ = 0;
  pool.failed_ = false;
  std::construct_at(&pool.failure_);  // it may have been half written
  pool.busy_ = false;
  pool.workers_mutex_.unlock();
}

std::atomic<int> requested_threads{0};  // 0: not decided yet

int positive_integer(const char* text) {
  char* rest = nullptr;
  errno = 0;
  const long value = std::strtol(text, &rest, 10);
  return errno == 0 && rest != text && *rest == '\0' && value > 0 && value <= INT_MAX
             ? static_cast<int>(value)
             : 0;
}

int default_threads() {
  if (const char* text = std::getenv("TAPEGRAD_NUM_THREADS")) {
    if (const int count = positive_integer(text)) return count;
    fail(ErrorKind::runtime, "TAPEGRAD_NUM_THREADS: expected a positive integer, got '", text, "'");
  }
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    if (const int count = positive_integer(text)) return count;
  }
  return usable_cpus();
}

void register_fork_handlers() {
  static const int registered =
      pthread_atfork(&Pool::before_fork, &Pool::after_fork_in_parent, &Pool::after_fork_in_child);
  static_cast<void>(registered);
}

class RegionMark {
 public:
  RegionMark() { inside_region = true; }
  ~RegionMark() { inside_region = false; }
  RegionMark(const RegionMark&) = delete;
  RegionMark& operator=(const RegionMark&) = delete;
};

}  // namespace

int get_num_threads() {
  int count = requested_threads.load(std::memory_order_relaxed);
  if (count == 0) {
    count = default_threads();
    int undecided = 0;
    if (!requested_threads.compare_exchange_strong(undecided, count)) count = undecided;
  }
  return count;
}

void set_num_threads(int count) {
  TG_CHECK(count > 0, "set_num_threads expects a positive integer, got ", count);
  requested_threads.store(count);
}

bool in_parallel_region() { return inside_region; }

namespace detail {

void run_chunks(int64_t begin, int64_t end, int64_t grain, ChunkFunction function, void* context) {
  grain = std::max<int64_t>(grain, 1);
  const int threads = inside_region ? 1 : get_num_threads();
  std::unique_lock<Pool> pool;
  if (threads > 1) pool = std::unique_lock(Pool::instance, std::try_to_lock);
  if (!pool) {
    for (int64_t lo = begin; lo < end;) {
      const int64_t hi = end - lo > grain ? lo + grain : end;
      function(context, lo, hi);
      lo = hi;
    }
    return;
  }
  register_fork_handlers();
  const RegionMark mark;
  Pool::instance.run(threads, begin, end, grain, (end - begin + grain - 1) / grain, function, context);
}

}  // namespace detail
}  // namespace tapegrad
