// Operations in a profile.
#pragma once
#include "bindings/python.h"
#include "core/profiler.h"

namespace tapegrad::python {

/// Begins the event of an operation that a Python call has entered, and ends it. Nothing in between may
/// throw.
profiler::Handle begin_operation(const char* name, PyObject* const* args, Py_ssize_t count);
void finish_operation(profiler::Handle event, PyObject* result);

// The same, if a profile is taken. There is one call of what computes between them, so that it is inlined.
inline profiler::Handle enter_operation(const char* name, PyObject* const* args, Py_ssize_t count) {
  if (profiler::active) [[unlikely]]
    return begin_operation(name, args, count);
  return profiler::kNothing;
}
inline PyObject* leave_operation(profiler::Handle event, PyObject* result) {
  if (event != profiler::kNothing) [[unlikely]]
    finish_operation(event, result);
  return result;
}

}  // namespace tapegrad::python
