// Anomaly mode: the Python lines that recorded a node.
#include "autograd/anomaly.h"

#include "bindings/arg_parser.h"
#include "bindings/register.h"

namespace tapegrad::python {

namespace {

/// The calls on the stack when a node was recorded, innermost first; formatted only when asked for.
struct PythonTrace final : autograd::ForwardTrace {
  struct Call {
    PyCodeObject* code;  // owned
    int instruction;     // offset in bytes
  };
  std::vector<Call> calls;

  ~PythonTrace() override {
    for (const Call& call : calls) Py_DECREF(call.code);
  }

  std::string text() const override {
    std::string text;
    for (size_t i = calls.size(); i-- > 0;) {
      text += concat("  File \"", file(calls[i]), "\", line ", line_number(calls[i]), ", in ",
                     as_text(reinterpret_cast<PyObject*>(calls[i].code), "co_name"), "\n");
      if (const std::string source = source_line(calls[i]); !source.empty()) text += "    " + source + "\n";
    }
    return text;
  }
  std::string line() const override {
    return calls.empty() ? "an unknown place"
                         : concat(file(calls[0]), ":", line_number(calls[0]), ": ", source_line(calls[0]));
  }

 private:
  static std::string as_text(PyObject* object, const char* attribute) {
    const Object value = Object::steal(PyObject_GetAttrString(object, attribute));
    return value && PyUnicode_Check(value.get()) ? PyUnicode_AsUTF8(value.get()) : "?";
  }
  static std::string file(const Call& call) {
    return as_text(reinterpret_cast<PyObject*>(call.code), "co_filename");
  }
  static int line_number(const Call& call) { return PyCode_Addr2Line(call.code, call.instruction); }
  static std::string source_line(const Call& call) {
    const Object linecache = Object::steal(PyImport_ImportModule("linecache"));
    const Object line = linecache ? Object::steal(PyObject_CallMethod(linecache.get(), "getline", "si",
                                                                      file(call).c_str(), line_number(call)))
                                  : Object();
    const Object stripped =
        line ? Object::steal(PyObject_CallMethod(line.get(), "strip", nullptr)) : Object();
    if (!stripped) PyErr_Clear();
    return stripped ? PyUnicode_AsUTF8(stripped.get()) : "";
  }
};

int instruction_of(PyFrameObject* frame) {
#if PY_VERSION_HEX >= 0x030B0000
  return PyFrame_GetLasti(frame);
#else
  // There is no such function; the line is found through the frame's own attribute.
  const Object lasti = Object::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(frame), "f_lasti"));
  return lasti ? static_cast<int>(PyLong_AsLong(lasti.get())) : 0;
#endif
}

Ref<autograd::ForwardTrace> trace() {
  PyFrameObject* frame = PyEval_GetFrame();
  if (!frame) return {};
  auto* trace = new PythonTrace;
  const Ref<autograd::ForwardTrace> owner(trace);
  trace->calls.reserve(16);
  Py_INCREF(frame);
  while (frame) {
    trace->calls.push_back({PyFrame_GetCode(frame), instruction_of(frame)});
    PyFrameObject* back = PyFrame_GetBack(frame);
    Py_DECREF(frame);
    frame = back;
  }
  return owner;
}

void warn(const std::function<std::string()>& message) {
  // A Python exception may be on its way.
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  const bool refused = PyErr_WarnEx(PyExc_UserWarning, message().c_str(), 1) < 0;
  if (type) {
    if (refused) PyErr_Clear();
    PyErr_Restore(type, value, traceback);
  } else if (refused) {
    throw PythonError{};
  }
}

PyObject* set_anomaly_mode(PyObject*, PyObject* args) {
  int enabled, check_nan;
  if (!PyArg_ParseTuple(args, "pp", &enabled, &check_nan)) return nullptr;
  autograd::modes.anomaly = enabled;
  autograd::modes.check_nan = check_nan;
  Py_RETURN_NONE;
}
PyObject* is_anomaly_enabled(PyObject*, PyObject*) { return PyBool_FromLong(autograd::modes.anomaly); }
PyObject* is_anomaly_check_nan_enabled(PyObject*, PyObject*) {
  return PyBool_FromLong(autograd::modes.check_nan);
}

PyMethodDef functions[] = {{"_set_anomaly_mode", set_anomaly_mode, METH_VARARGS, nullptr},
                           {"is_anomaly_enabled", is_anomaly_enabled, METH_NOARGS,
                            "is_anomaly_enabled() -> bool\n\nWhether anomaly mode is on."},
                           {"is_anomaly_check_nan_enabled", is_anomaly_check_nan_enabled, METH_NOARGS,
                            "is_anomaly_check_nan_enabled() -> bool\n\nWhether anomaly mode looks for NaN."},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

int register_anomaly(PyObject* module) {
  autograd::anomaly_callbacks = {trace, warn};
  return PyModule_AddFunctions(module, functions);
}

}  // namespace tapegrad::python
