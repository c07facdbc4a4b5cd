#include "bindings/arg_errors.h"

#include <algorithm>

namespace tapegrad::python {

namespace {

std::string describe(const Overload& overload, bool is_method) {
  std::string text = "(";
  bool star = false;
  for (size_t i = is_method; i < overload.parameters.size(); ++i) {
    const Parameter& parameter = overload.parameters[i];
    if (text.size() > 1) text += ", ";
    if (parameter.keyword_only && !star) text += "*, ";
    star = parameter.keyword_only;
    text += parameter.text;
  }
  return text + ")";
}

std::string type_text(PyObject* object) {
  if (is_tensor(object)) return "Tensor";
  if (PyTuple_Check(object) || PyList_Check(object)) {
    std::string inner;
    for (Py_ssize_t i = 0; i < std::min<Py_ssize_t>(PySequence_Fast_GET_SIZE(object), 4); ++i)
      inner += (i ? ", " : "") + type_text(PySequence_Fast_GET_ITEM(object, i));
    return std::string(Py_TYPE(object)->tp_name) + " of (" + inner + ")";
  }
  return Py_TYPE(object)->tp_name;
}

std::string given_types(const Call& call) {
  std::string text;
  for (Py_ssize_t i = call.is_method; i < call.count + call.keyword_count(); ++i) {
    if (!text.empty()) text += ", ";
    if (i >= call.count)
      text += concat(PyUnicode_AsUTF8(PyTuple_GET_ITEM(call.keywords, i - call.count)), "=");
    text += type_text(call.args[i]);
  }
  return call.count == call.is_method && !text.empty() ? text + ", " : text;
}

/// Whether the number of arguments fits.
bool takes_count(const Overload& overload, const Call& call) {
  if (overload.deprecated) return false;
  const Py_ssize_t count = call.count + call.keyword_count();
  return count >= overload.required && count <= static_cast<Py_ssize_t>(overload.parameters.size());
}

constexpr std::string_view kEither = "Tensor or Number";

/// PyTorch has an overload for a tensor and another for a number as the second operand, except in + - * /.
bool has_two_forms(const Operation& operation) {
  constexpr std::string_view single[] = {"add",      "sub", "subtract", "mul",
                                         "multiply", "div", "divide",   "copy"};
  std::string_view name = operation.name;
  if (name.ends_with('_')) name.remove_suffix(1);
  if (std::find(std::begin(single), std::end(single), name) != std::end(single)) return false;
  const auto& parameters = operation.overloads[0].parameters;
  return parameters.size() > 1 && parameters[1].kind == Kind::operand;
}

/// Operations with several forms in PyTorch that are one here; those of `factories` differ in their keywords
/// only.
bool has_other_forms(std::string_view name, Fit reason) {
  constexpr std::string_view functions[] = {"argsort", "bucketize", "count_nonzero", "isin",   "lerp",
                                            "lerp_",   "linspace",  "logspace",      "narrow", "rsub"};
  constexpr std::string_view factories[] = {"baddbmm", "eye",        "rand",    "randint_like",
                                            "randn",   "randn_like", "randperm"};
  const auto has = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  return has(functions) || (reason == Fit::missing && has(factories));
}

[[noreturn]] void fail_ambiguous(const Operation& operation, const Call& call) {
  const bool two_forms = has_two_forms(operation);
  std::string expected;
  int listed = 0;
  for (const Overload& overload : operation.overloads)
    if (!overload.deprecated) {
      const std::string form = describe(overload, call.is_method);
      for (const char* type : {"Tensor", "Number"}) {
        const size_t operand = two_forms ? form.rfind(kEither) : std::string::npos;
        ++listed;
        expected += "\n * " + form.substr(0, operand);
        if (operand == std::string::npos) break;
        expected += type + form.substr(operand + kEither.size());
      }
    }
  fail(ErrorKind::type, operation.name, "() received an invalid combination of arguments - got (",
       given_types(call), "), but expected ", listed > 1 ? "one of:" + expected : expected.substr(4));
}

[[noreturn]] void fail_too_many(const Operation& operation, const Overload& overload, const Call& call) {
  const auto required =
      std::count_if(overload.parameters.begin(), overload.parameters.begin() + overload.positional,
                    [](const Parameter& parameter) { return !parameter.value; });
  const Py_ssize_t least = required - call.is_method, most = overload.positional - call.is_method;
  const Py_ssize_t given = call.count - call.is_method;
  fail(ErrorKind::type, operation.name, "() takes ",
       least < most ? concat("from ", least, " to ", most) : concat(most), " positional argument",
       most == 1 ? "" : "s", " but ", given, given == 1 ? " was given" : " were given");
}

[[noreturn]] void fail_missing(const Operation& operation, const Overload& overload, const Mismatch& mismatch,
                               const Call& call) {
  std::string names;
  int missing = 0;
  for (int i = mismatch.position; i < static_cast<int>(overload.parameters.size()); ++i) {
    const Parameter& parameter = overload.parameters[i];
    if (parameter.value || i < call.count) continue;
    names += concat(missing++ ? ", \"" : "\"", PyUnicode_AsUTF8(parameter.name), "\"");
  }
  fail(ErrorKind::type, operation.name, "() missing ", missing, " required positional arguments: ", names);
}

/// The size that is no integer among sizes that begin with an integer, and its position; {0, null} if there
/// is none.
std::pair<Py_ssize_t, PyObject*> wrong_size(const Parameter& parameter, const Mismatch& mismatch,
                                            const Call& call) {
  if (parameter.kind != Kind::integers) return {0, nullptr};
  PyObject* object = mismatch.object;
  if (parameter.varargs && mismatch.position < call.count && call.args[mismatch.position] != object) {
    Py_ssize_t i = mismatch.position;
    while (i < call.count && call.args[i] != object) ++i;
    return {i - mismatch.position, object};
  }
  if (!PyTuple_Check(object) && !PyList_Check(object)) return {0, nullptr};
  Py_ssize_t i = 0;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
  while (i < count && is_integer(PySequence_Fast_GET_ITEM(object, i))) ++i;
  if (i == 0 || i == count) return {0, nullptr};
  return {i, PySequence_Fast_GET_ITEM(object, i)};
}

[[noreturn]] void fail_wrong_type(const Operation& operation, const Overload& overload,
                                  const Mismatch& mismatch, const Call& call) {
  const Parameter& parameter = overload.parameters[static_cast<size_t>(mismatch.position)];
  if (PyUnicode_CompareWithASCIIString(parameter.name, "reduction") == 0)
    fail(ErrorKind::value, PyUnicode_AsUTF8(checked(PyObject_Str(mismatch.object)).get()),
         " is not a valid value for reduction; choose 'none', 'mean' or 'sum'.");
  if (const auto [position, size] = wrong_size(parameter, mismatch, call); size)
    fail(ErrorKind::type, operation.name, "(): argument '", PyUnicode_AsUTF8(parameter.name),
         "' failed to unpack the object at pos ", position + 1,
         " with error \"type must be tuple of ints,but got ", type_text(size), "\"");
  const std::string expected =
      parameter.text.substr(0, parameter.text.find_last_of(' ', parameter.text.find(" =") - 1));
  const bool by_position = mismatch.position < call.count;
  fail(ErrorKind::type, operation.name, "(): argument '", PyUnicode_AsUTF8(parameter.name), "'",
       by_position ? concat(" (position ", mismatch.position + 1 - call.is_method, ")") : "", " must be ",
       expected, ", not ", type_text(mismatch.object));
}

}  // namespace

const Overload& intended_overload(const Operation& operation, const Call& call) {
  const auto fits = [&](const Overload& overload) { return takes_count(overload, call); };
  const auto found = std::find_if(operation.overloads.begin(), operation.overloads.end(), fits);
  return found == operation.overloads.end() ? operation.overloads[0] : *found;
}

void explain(const Operation& operation, const Overload& meant, const Mismatch& mismatch, const Call& call) {
  if (call.is_method && call.count > 0 && !is_tensor(call.args[0]))
    fail(ErrorKind::type, "descriptor '", operation.name,
         "' for 'torch._C.TensorBase' objects doesn't apply to a '", Py_TYPE(call.args[0])->tp_name,
         "' object; call it on a Tensor");
  const auto candidates =
      std::count_if(operation.overloads.begin(), operation.overloads.end(),
                    [&](const Overload& overload) { return takes_count(overload, call); });
  if ((operation.overloads.size() > 1 && candidates != 1) || has_two_forms(operation) ||
      has_other_forms(operation.name, mismatch.reason))
    fail_ambiguous(operation, call);
  switch (mismatch.reason) {
    case Fit::too_many:
      fail_too_many(operation, meant, call);
    case Fit::missing:
      fail_missing(operation, meant, mismatch, call);
    case Fit::unknown_keyword:
      fail(ErrorKind::type, operation.name, "() got an unexpected keyword argument '",
           PyUnicode_AsUTF8(mismatch.object), "'");
    case Fit::duplicate:
      fail(ErrorKind::type, operation.name, "() got multiple values for argument '",
           PyUnicode_AsUTF8(mismatch.object), "'");
    default:
      fail_wrong_type(operation, meant, mismatch, call);
  }
}

void warn_deprecated(const Operation& operation, const Overload& overload) {
  warn(concat("This overload of ", operation.name, " is deprecated:\n\t", operation.name,
              describe(overload, true), "\nConsider using this signature instead:\n\t", operation.name,
              describe(operation.overloads[0], true))
           .c_str());
}

}  // namespace tapegrad::python
