#include "bindings/profiler.h"

#include <string>

#include "bindings/arg_parser.h"
#include "bindings/register.h"

namespace tapegrad::python {

namespace {

/// The shape of a tensor, those of the tensors in a list, [] for anything else.
void append_shapes(std::string& text, PyObject* object) {
  if (is_tensor(object)) return profiler::append_shape(text, get_tensor(object));
  text += "[";
  if (PyTuple_Check(object) || PyList_Check(object))
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
      PyObject* item = PySequence_Fast_GET_ITEM(object, i);
      if (!is_tensor(item)) continue;
      if (text.back() != '[') text += ", ";
      profiler::append_shape(text, get_tensor(item));
    }
  text += "]";
}

/// The Python lines being executed, innermost first: "file.py(12): function".
std::string python_stack() {
  std::string text;
  Object frame = Object::borrow(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  while (frame) {
    auto* current = reinterpret_cast<PyFrameObject*>(frame.get());
    const Object code = Object::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(current)));
    const auto* made_from = reinterpret_cast<PyCodeObject*>(code.get());
    const char* file = PyUnicode_AsUTF8(made_from->co_filename);
    const char* function = PyUnicode_AsUTF8(made_from->co_name);
    if (!text.empty()) text += "\n";
    text += concat(file ? file : "?", "(", PyFrame_GetLineNumber(current), "): ", function ? function : "?");
    frame = Object::steal(reinterpret_cast<PyObject*>(PyFrame_GetBack(current)));
  }
  PyErr_Clear();
  return text;
}

PyObject* start(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int shapes, stack;
    if (!PyArg_ParseTuple(args, "pp", &shapes, &stack)) throw PythonError{};
    TG_CHECK(
        !profiler::started(),
        "Profiler is already enabled on this thread: there is one profile at a time, and another one has "
        "not been stopped yet.");
    profiler::start({shapes != 0, stack ? python_stack : nullptr});
    Py_RETURN_NONE;
  });
}

/// A tuple for each event: RawEvent in autograd/profiler_util.py.
PyObject* stop(PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    const std::vector<profiler::Event> events = profiler::stop();
    Object list = checked(PyList_New(static_cast<Py_ssize_t>(events.size())));
    for (size_t i = 0; i < events.size(); ++i) {
      const profiler::Event& event = events[i];
      const Object name = checked(
          PyUnicode_DecodeUTF8(event.name.data(), static_cast<Py_ssize_t>(event.name.size()), "replace"));
      PyObject* row = Py_BuildValue(
          "(OiiILLLLsssK)", name.get(), static_cast<int>(event.scope), static_cast<int>(event.parent),
          static_cast<unsigned int>(event.thread), static_cast<long long>(event.begin),
          static_cast<long long>(event.end), static_cast<long long>(event.bytes_before),
          static_cast<long long>(event.bytes_after), event.shapes.c_str(), event.result_shape.c_str(),
          event.stack.c_str(), static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(event.node)));
      PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), checked(row).release());
    }
    return list.release();
  });
}

PyObject* is_started(PyObject*, PyObject*) { return PyBool_FromLong(profiler::started()); }
PyObject* set_collecting(PyObject*, PyObject* collecting) {
  profiler::set_collecting(PyObject_IsTrue(collecting) == 1);
  Py_RETURN_NONE;
}

PyObject* enter(PyObject*, PyObject* name) {
  return guarded([&]() -> PyObject* {
    if (!profiler::active) return PyLong_FromUnsignedLongLong(profiler::kNothing);
    const char* text = PyUnicode_AsUTF8(name);
    if (!text) throw PythonError{};
    return PyLong_FromUnsignedLongLong(profiler::begin(text, profiler::Scope::user));
  });
}
PyObject* leave(PyObject*, PyObject* handle) {
  return guarded([&]() -> PyObject* {
    const unsigned long long event = PyLong_AsUnsignedLongLong(handle);
    if (PyErr_Occurred()) throw PythonError{};
    if (event != profiler::kNothing) profiler::finish(event);
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {{"_profiler_start", start, METH_VARARGS, nullptr},
                           {"_profiler_stop", stop, METH_NOARGS, nullptr},
                           {"_profiler_started", is_started, METH_NOARGS, nullptr},
                           {"_profiler_set_collecting", set_collecting, METH_O, nullptr},
                           {"_profiler_enter", enter, METH_O, nullptr},
                           {"_profiler_leave", leave, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

namespace {

/// The node that made a tensor; null for other objects.
const void* history_of(PyObject* object) {
  return is_tensor(object) ? static_cast<const void*>(get_tensor(object)->grad_fn.get()) : nullptr;
}

}  // namespace

profiler::Handle begin_operation(const char* name, PyObject* const* args, Py_ssize_t count) {
  std::string shapes;
  if (profiler::wants_shapes()) {
    for (Py_ssize_t i = 0; i < count; ++i) {
      shapes += i ? ", " : "[";
      append_shapes(shapes, args[i]);
    }
    shapes += count ? "]" : "[]";
  }
  return profiler::begin(std::string("aten::") + name, profiler::Scope::operation, std::move(shapes),
                         count ? history_of(args[0]) : nullptr);
}

void finish_operation(profiler::Handle event, PyObject* result) {
  if (result && PyTuple_Check(result) && PyTuple_GET_SIZE(result) > 0) result = PyTuple_GET_ITEM(result, 0);
  std::string shape;
  if (result && is_tensor(result) && profiler::wants_shapes())
    profiler::append_shape(shape, get_tensor(result));
  profiler::finish(event, result ? history_of(result) : nullptr, std::move(shape));
}

int register_profiler(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace tapegrad::python
