// Operations in a profile.
#pragma once
#include "bindings/python.h"
#include "core/profiler.h"

namespace tapegrad::python {

/// Begins the event of an operation that a Python call has entered.
profiler::Handle begin_operation(const char* name, PyObject* const* args, Py_ssize_t count);
/// Ends it; `history` is that of the first argument before the call.
void finish_operation(profiler::Handle event, PyObject* result, const void* history);
/// The node that made a tensor; null for other objects.
const void* history_of(PyObject* object);

/// Runs compute() as the operation `name` in a profile.
template <class F>
PyObject* record_operation(const char* name, PyObject* const* args, Py_ssize_t count, F&& compute) {
  const void* history = count > 0 ? history_of(args[0]) : nullptr;
  const profiler::Handle event = begin_operation(name, args, count);
  try {
    PyObject* result = compute();
    finish_operation(event, result, history);
    return result;
  } catch (...) {
    profiler::finish(event);
    throw;
  }
}

}  // namespace tapegrad::python
