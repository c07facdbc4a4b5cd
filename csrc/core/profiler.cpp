#include "core/profiler.h"

#include <atomic>
#include <chrono>
#include <utility>

#include "core/memory.h"

namespace tapegrad::profiler {

constinit bool active = false;

namespace {

struct Profile {
  Options options;
  std::vector<Event> events;
  std::chrono::steady_clock::time_point origin;
  uint32_t number = 0;  // handles of earlier profiles mean nothing
  bool running = false;
};
Profile& profile() {
  static auto& instance = *new Profile;
  return instance;
}

/// The innermost open event of a thread.
struct Innermost {
  uint32_t profile = 0;
  int32_t event = -1;
};
thread_local Innermost innermost;

uint32_t thread_number() {
  static std::atomic<uint32_t> count{0};
  thread_local const uint32_t number = ++count;
  return number;
}

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() -
                                                              profile().origin)
      .count();
}

}  // namespace

void start(const Options& options) {
  Profile& current = profile();
  current.options = options;
  current.events.clear();
  current.origin = std::chrono::steady_clock::now();
  ++current.number;
  current.running = active = true;
}

std::vector<Event> stop() {
  Profile& current = profile();
  current.running = active = false;
  ++current.number;
  for (Event& event : current.events)
    if (event.end < 0) {
      event.node = nullptr;
      event.end = now();
      event.bytes_after = memory_stats().allocated_bytes;
    }
  return std::exchange(current.events, {});
}

void set_collecting(bool collecting) { active = collecting && profile().running; }
bool started() { return profile().running; }
bool wants_shapes() { return profile().options.shapes; }

void append_shape(std::string& text, const Tensor& tensor) {
  text += "[";
  if (tensor.defined()) {
    const IntSpan shape(tensor.shape());
    for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  }
  text += "]";
}

std::string shapes_of(std::span<const Tensor> tensors) {
  std::string text;
  if (!wants_shapes()) return text;
  for (const Tensor& tensor : tensors) {
    text += text.empty() ? "[" : ", ";
    append_shape(text, tensor);
  }
  return text.empty() ? "[]" : text + "]";
}

Handle begin(std::string name, Scope scope, std::string shapes, const void* history) {
  Profile& current = profile();
  if (innermost.profile != current.number) innermost = {current.number, -1};
  std::string stack = current.options.stack ? current.options.stack() : std::string();
  const auto index = static_cast<int32_t>(current.events.size());
  current.events.push_back({std::move(name),
                            scope,
                            innermost.event,
                            thread_number(),
                            0,
                            -1,
                            memory_stats().allocated_bytes,
                            0,
                            std::move(shapes),
                            {},
                            std::move(stack),
                            history});
  innermost.event = index;
  current.events.back().begin = now();  // last, so that the recorder's own work is not in it
  return static_cast<Handle>(current.number) << 32 | static_cast<uint32_t>(index);
}

void finish(Handle handle, const void* node, std::string result_shape) {
  Profile& current = profile();
  if (!current.running || handle >> 32 != current.number) return;
  Event& event = current.events[static_cast<uint32_t>(handle)];
  if (event.end >= 0) return;
  event.end = now();
  event.bytes_after = memory_stats().allocated_bytes;
  event.node = node == event.node ? nullptr : node;
  event.result_shape = std::move(result_shape);
  if (event.thread == thread_number()) innermost.event = event.parent;
}

}  // namespace tapegrad::profiler
