// The recorder behind autograd.profiler: what ran, when, in which thread, and what it did to memory.
//
// `active` is the only thing that is looked at while no profile is taken. Events are kept in the order in
// which they begin; the interpreter lock protects them.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace tapegrad::profiler {

/// Whether events are being recorded.
extern constinit bool active;

enum class Scope : uint8_t { operation = 0, derivative = 1, user = 7 };  // PyTorch's numbers

struct Event {
  std::string name;
  Scope scope;
  int32_t parent;  // the event of the same thread that it began in; -1 for none
  uint32_t thread;
  int64_t begin, end;                 // nanoseconds since the profile began
  int64_t bytes_before, bytes_after;  // memory handed out then
  std::string shapes;                 // of the arguments, as JSON
  std::string result_shape;           // of the first result
  std::string stack;                  // the Python lines that led there, innermost first
  const void* node = nullptr;         // what the operation recorded, or the derivative belongs to
};

struct Options {
  bool shapes = false;
  /// Describes the calls that led to the present place; null if that is not wanted.
  std::string (*stack)() = nullptr;
};

/// Forgets all events and records from now on.
void start(const Options& options);
/// Ends recording; events that are still open end now.
std::vector<Event> stop();
/// Interrupts or continues a profile that was started.
void set_collecting(bool collecting);
/// Whether a profile was started and not stopped, interrupted or not.
bool started();
bool wants_shapes();

/// An open event; a number that `finish` takes.
using Handle = uint64_t;
constexpr Handle kNothing = ~Handle{0};
/// `history` is the node that the first argument comes from.
Handle begin(std::string name, Scope scope, std::string shapes = {}, const void* history = nullptr);
/// Ends an event. `node` is what the result comes from; it is new unless it is the history given to begin.
void finish(Handle handle, const void* node = nullptr, std::string result_shape = {});

/// Adds "[2, 3]" to `text`.
void append_shape(std::string& text, const Tensor& tensor);
/// "[[2, 3], []]" if the profile wants shapes; that of an undefined tensor is empty.
std::string shapes_of(std::span<const Tensor> tensors);

/// An event that lasts as long as the object; `node` and `arguments` belong to a derivative.
class Block {
 public:
  Block(Scope scope, std::string name, const void* node = nullptr, std::span<const Tensor> arguments = {})
      : handle_(begin(std::move(name), scope, shapes_of(arguments))), node_(node) {}
  ~Block() { finish(handle_, node_); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

 private:
  Handle handle_;
  const void* node_;
};

}  // namespace tapegrad::profiler
