// Calls that fit no overload: which one was meant, and PyTorch's words for what is wrong.
#pragma once
#include "bindings/arg_parser.h"

namespace tapegrad::python {

/// The arguments of a call as vectorcall passes them; the first one of a method is the tensor.
struct Call {
  PyObject* const* args;
  Py_ssize_t count;
  PyObject* keywords;
  bool is_method;

  Py_ssize_t keyword_count() const { return keywords ? PyTuple_GET_SIZE(keywords) : 0; }
};

enum class Fit { yes, too_many, missing, unknown_keyword, duplicate, wrong_type };
struct Mismatch {
  Fit reason;
  int position;
  PyObject* object;
};

/// The overload that takes that number of arguments; the first one when there is none or a choice.
const Overload& intended_overload(const Operation& operation, const Call& call);
/// Raises the TypeError for a call that does not fit `meant`, the intended overload.
[[noreturn]] void explain(const Operation& operation, const Overload& meant, const Mismatch& mismatch,
                          const Call& call);
void warn_deprecated(const Operation& operation, const Overload& overload);

}  // namespace tapegrad::python
