// What every binding file needs of Python: owned references, errors in both directions.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <exception>
#include <new>
#include <utility>

#include "core/error.h"

namespace tapegrad::python {

/// An owned reference to a Python object.
class Object {
 public:
  Object() = default;
  static Object steal(PyObject* object) {
    Object owned;
    owned.object_ = object;
    return owned;
  }
  static Object borrow(PyObject* object) {
    Py_XINCREF(object);
    return steal(object);
  }
  Object(const Object& other) : object_(other.object_) { Py_XINCREF(object_); }
  Object(Object&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Object& operator=(Object other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Object() { Py_XDECREF(object_); }
  PyObject* get() const { return object_; }
  PyObject* release() { return std::exchange(object_, nullptr); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

/// A function of any calling convention as the tables of methods want it.
template <class Function>
PyCFunction as_c_function(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

/// Thrown when a Python exception is already set.
struct PythonError {};

/// Takes a new reference from a Python call; throws when it failed.
inline Object checked(PyObject* object) {
  if (!object) throw PythonError{};
  return Object::steal(object);
}
inline void checked(int status) {
  if (status < 0) throw PythonError{};
}

/// A UserWarning at the line that called; throws when warnings are errors.
inline void warn(const char* message) { checked(PyErr_WarnEx(PyExc_UserWarning, message, 1)); }

/// Turns the exception being handled into a Python exception.
void set_python_error() noexcept;

/// Runs f, which may throw, and returns what it returns; nullptr (or -1) with a Python exception set after an
/// error.
template <class F>
auto guarded(F&& f) noexcept -> decltype(f()) {
  using Result = decltype(f());
  try {
    return f();
  } catch (...) {
    set_python_error();
    if constexpr (std::is_pointer_v<Result>)
      return nullptr;
    else
      return static_cast<Result>(-1);
  }
}

}  // namespace tapegrad::python
