// Checks of the thread pool; exits with status 0 when all hold, aborts with a message otherwise.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/cpu_count.h"
#include "core/error.h"
#include "core/parallel.h"

#define CHECK(...)                                                                         \
  do {                                                                                     \
    if (!(__VA_ARGS__)) {                                                                  \
      std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #__VA_ARGS__); \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)

using tapegrad::get_num_threads;
using tapegrad::in_parallel_region;
using tapegrad::parallel_for;
using tapegrad::set_num_threads;

namespace {

int64_t parallel_sum(int64_t n, int64_t grain) {
  std::atomic<int64_t> sum{0};
  parallel_for(0, n, grain, [&](int64_t lo, int64_t hi) {
    int64_t part = 0;
    for (int64_t i = lo; i < hi; ++i) part += i;
    sum += part;
  });
  return sum;
}

bool sums_are_right() { return parallel_sum(1000, 7) == 499500; }

void wait_for_children_of(pid_t child) {
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void test_every_index_is_visited_once() {
  for (int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    for (int64_t n : {0, 1, 2, 3, 7, 64, 100, 1000, 4097}) {
      for (int64_t grain : {-1, 0, 1, 2, 5, 64, 1000, 100000}) {
        std::vector<int> visits(n, 0);
        parallel_for(10, 10 + n, grain, [&](int64_t lo, int64_t hi) {
          CHECK(lo < hi);
          for (int64_t i = lo; i < hi; ++i) ++visits[i - 10];
        });
        for (int count : visits) CHECK(count == 1);
      }
    }
  }
  bool called = false;
  parallel_for(5, 3, 1, [&](int64_t, int64_t) { called = true; });
  CHECK(!called);
}

void test_chunks_do_not_depend_on_threads() {
  const auto chunks = [](int threads) {
    set_num_threads(threads);
    std::vector<std::pair<int64_t, int64_t>> by_chunk(15);
    parallel_for(3, 103, 7, [&](int64_t lo, int64_t hi) { by_chunk[(lo - 3) / 7] = {lo, hi}; });
    return by_chunk;
  };
  const auto expected = chunks(1);
  CHECK(expected.front() == std::pair(int64_t{3}, int64_t{10}));
  CHECK(expected.back() == std::pair(int64_t{101}, int64_t{103}));
  for (int threads : {2, 3, 5}) CHECK(chunks(threads) == expected);
}

void test_several_threads_take_part() {
  set_num_threads(2);
  std::atomic<int> arrived{0};
  std::vector<std::thread::id> ids(2);
  parallel_for(0, 2, 1, [&](int64_t lo, int64_t) {
    ids[lo] = std::this_thread::get_id();
    ++arrived;
    while (arrived < 2) std::this_thread::yield();  // returns only if both chunks run at the same time
  });
  CHECK(ids[0] != ids[1]);
}

void test_workers_wake_from_sleep() {
  set_num_threads(2);
  for (int repeat = 0; repeat < 5; ++repeat) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    test_several_threads_take_part();
  }
}

void test_owner_sleeps_until_workers_finish() {
  set_num_threads(2);
  std::atomic<int> arrived{0}, finished{0};
  parallel_for(0, 2, 1, [&](int64_t lo, int64_t) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
    if (lo == 1) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ++finished;
  });
  CHECK(finished == 2);
}

void test_nested_regions_run_inline() {
  set_num_threads(3);
  CHECK(!in_parallel_region());
  std::atomic<int64_t> visits{0};
  parallel_for(0, 8, 1, [&](int64_t, int64_t) {
    CHECK(in_parallel_region());
    const auto self = std::this_thread::get_id();
    parallel_for(0, 100, 9, [&](int64_t lo, int64_t hi) {
      CHECK(std::this_thread::get_id() == self);
      visits += hi - lo;
    });
  });
  CHECK(visits == 800);
  CHECK(!in_parallel_region());
}

void test_exceptions_reach_the_caller() {
  for (int threads : {1, 2, 4}) {
    set_num_threads(threads);
    for (int64_t bad : {0, 5, 19}) {
      std::string message;
      try {
        parallel_for(0, 20, 1, [&](int64_t lo, int64_t) {
          if (lo == bad) throw std::runtime_error("chunk failed");
        });
      } catch (const std::runtime_error& error) {
        message = error.what();
      }
      CHECK(message == "chunk failed");
      CHECK(!in_parallel_region());
      CHECK(sums_are_right());
    }
    int caught = 0;
    try {
      parallel_for(0, 50, 1, [](int64_t, int64_t) { throw 1; });
    } catch (int) {
      ++caught;
    }
    CHECK(caught == 1);
  }
}

void test_concurrent_callers() {
  set_num_threads(3);
  std::vector<std::thread> callers;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 200; ++repeat) right += sums_are_right();
    });
  }
  for (auto& caller : callers) caller.join();
  CHECK(right == 800);
}

void test_changing_the_number_of_threads() {
  for (int repeat = 0; repeat < 10; ++repeat) {
    for (int threads : {2, 1, 5, 3}) {
      set_num_threads(threads);
      CHECK(get_num_threads() == threads);
      CHECK(sums_are_right());
    }
  }
  set_num_threads(3);
  parallel_for(0, 4, 1, [](int64_t, int64_t) { set_num_threads(2); });
  CHECK(get_num_threads() == 2);
  CHECK(sums_are_right());
}

void test_number_of_threads_is_checked() {
  for (int bad : {0, -3}) {
    std::string message;
    try {
      set_num_threads(bad);
    } catch (const tapegrad::Error& error) {
      message = error.what();
    }
    CHECK(message.rfind("set_num_threads expects a positive integer", 0) == 0);
  }
  CHECK(tapegrad::usable_cpus() >= 1);
}

void test_workers_block_signals() {
  set_num_threads(2);
  std::atomic<int> arrived{0}, blocked{0};
  parallel_for(0, 2, 1, [&](int64_t, int64_t) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    blocked += sigismember(&mask, SIGINT) == 1;
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  CHECK(blocked == 1);  // the worker, not the caller
}

void test_fork_between_regions() {
  set_num_threads(2);
  CHECK(sums_are_right());
  const pid_t child = fork();
  if (child == 0) {
    test_several_threads_take_part();
    const pid_t grandchild = fork();
    if (grandchild == 0) _exit(sums_are_right() ? 0 : 1);
    wait_for_children_of(grandchild);
    _exit(sums_are_right() ? 0 : 1);
  }
  CHECK(sums_are_right());
  wait_for_children_of(child);
}

void test_fork_while_another_thread_runs_regions() {
  set_num_threads(3);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) CHECK(sums_are_right());
  });
  for (int repeat = 0; repeat < 10; ++repeat) {
    const pid_t child = fork();
    if (child == 0) {
      set_num_threads(2);
      for (int i = 0; i < 20; ++i) CHECK(sums_are_right());
      _exit(0);
    }
    wait_for_children_of(child);
  }
  stop = true;
  busy.join();
}

/// Runs this program again with `value` in the environment and returns what it prints as its number of
/// threads.
int threads_with_environment(const char* program, const char* value) {
  const std::string command = std::string("TAPEGRAD_NUM_THREADS=") + value + " " + program + " --threads";
  FILE* output = popen(command.c_str(), "r");
  CHECK(output != nullptr);
  int threads = 0;
  CHECK(std::fscanf(output, "%d", &threads) == 1);
  CHECK(pclose(output) == 0);
  return threads;
}

int print_number_of_threads() {
  try {
    std::printf("%d\n", get_num_threads());
  } catch (const tapegrad::Error& error) {
    std::printf("%d\n", std::strstr(error.what(), "TAPEGRAD_NUM_THREADS") ? -1 : -2);
  }
  return 0;
}

double nanoseconds_per_empty_region(int repeats) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) parallel_for(0, 2, 1, [](int64_t, int64_t) {});
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / repeats;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "--threads") return print_number_of_threads();
  if (mode == "--time") {
    set_num_threads(argc > 2 ? std::atoi(argv[2]) : 2);
    std::printf("%.0f ns\n", nanoseconds_per_empty_region(200000));
    return 0;
  }
  CHECK(threads_with_environment(argv[0], "3") == 3);
  CHECK(threads_with_environment(argv[0], "none") == -1);
  CHECK(threads_with_environment(argv[0], "0") == -1);
  test_every_index_is_visited_once();
  test_chunks_do_not_depend_on_threads();
  test_several_threads_take_part();
  test_workers_wake_from_sleep();
  test_owner_sleeps_until_workers_finish();
  test_nested_regions_run_inline();
  test_exceptions_reach_the_caller();
  test_concurrent_callers();
  test_changing_the_number_of_threads();
  test_number_of_threads_is_checked();
  test_workers_block_signals();
  test_fork_between_regions();
  test_fork_while_another_thread_runs_regions();
  std::puts("all checks of the thread pool hold");
  return 0;
}
