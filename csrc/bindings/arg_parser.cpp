#include "bindings/arg_parser.h"

#include <structmember.h>

#include <cctype>
#include <map>

#include "bindings/arg_errors.h"
#include "bindings/device.h"
#include "bindings/overrides.h"
#include "bindings/profiler.h"
#include "ops/copy.h"

namespace tapegrad::python {

namespace {

struct OperationObject {
  PyObject_HEAD vectorcallfunc call;
  Operation* operation;
  bool is_method;
};
PyTypeObject* operation_type = nullptr;

struct Registered {
  Operation operation;
  As where;
};
std::map<std::string, Registered>& registry() {
  static std::map<std::string, Registered> operations;
  return operations;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

PyObject* intern(std::string_view text) { return PyUnicode_InternFromString(std::string(text).c_str()); }

PyObject* parse_default(std::string_view text) {
  if (text == "None") return Py_NewRef(Py_None);
  if (text == "True") return Py_NewRef(Py_True);
  if (text == "False") return Py_NewRef(Py_False);
  if (text.front() == '"') return intern(text.substr(1, text.size() - 2));
  const std::string number(text);
  if (text.front() == '(' || text.front() == '[') {  // a tuple of integers, such as (0, 1)
    std::vector<int64_t> values;
    for (size_t i = 1; i < text.size(); ++i)
      if (std::isdigit(static_cast<unsigned char>(text[i])) || text[i] == '-') {
        values.push_back(std::strtoll(number.c_str() + i, nullptr, 10));
        while (i + 1 < text.size() && std::isdigit(static_cast<unsigned char>(text[i + 1]))) ++i;
      }
    PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(values.size()));
    for (size_t i = 0; i < values.size(); ++i)
      PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(values[i]));
    return tuple;
  }
  if (number.find_first_of(".einf") == std::string::npos)
    return PyLong_FromString(number.c_str(), nullptr, 10);
  return PyFloat_FromDouble(PyOS_string_to_double(number.c_str(), nullptr, nullptr));
}

Parameter parse_parameter(std::string_view text) {
  static const std::map<std::string_view, Kind> kinds = {
      {"Tensor", Kind::tensor},   {"Tensor[]", Kind::tensors}, {"Tensor[*]", Kind::tensors},
      {"Operand", Kind::operand}, {"Scalar", Kind::scalar},    {"int", Kind::integer},
      {"int[]", Kind::integers},  {"int[1]", Kind::integers},  {"int[*]", Kind::integers},
      {"float", Kind::real},      {"bool", Kind::boolean},     {"str", Kind::string},
      {"dtype", Kind::dtype},     {"any", Kind::any},          {"any[*]", Kind::any}};
  static const std::map<std::string_view, std::string_view> aliases = {
      {"dim", "axis"}, {"keepdim", "keepdims"}, {"input", "x"}, {"other", "x2"}};
  Parameter parameter;
  const size_t space = text.find(' ');
  std::string_view type = text.substr(0, space), rest = text.substr(space + 1);
  parameter.optional = type.back() == '?';
  if (parameter.optional) type.remove_suffix(1);
  const auto kind = kinds.find(type);
  if (kind == kinds.end()) fail(ErrorKind::runtime, "signature: unknown type in '", text, "'");
  parameter.kind = kind->second;
  if (rest.starts_with("inplace=")) parameter.kind = Kind::any;  // anything is true or false there
  parameter.varargs = type.ends_with("[*]");
  parameter.takes_single = type == "int[1]";
  const size_t equals = rest.find('=');
  const std::string_view name = rest.substr(0, equals);
  parameter.name = intern(name);
  if (auto alias = aliases.find(name); alias != aliases.end()) parameter.alias = intern(alias->second);
  if (equals != std::string_view::npos) parameter.value = parse_default(rest.substr(equals + 1));
  const std::string shown = type.starts_with("int[")      ? "tuple of ints"
                            : type.starts_with("Tensor[") ? "tuple of Tensors"
                            : type == "Scalar"            ? "Number"
                            : type == "Operand"           ? "Tensor or Number"
                            : type == "dtype"             ? "torch.dtype"
                                                          : std::string(type);
  parameter.text = shown + " " + std::string(name);
  if (equals != std::string_view::npos) parameter.text += " = " + std::string(rest.substr(equals + 1));
  return parameter;
}

/// Whether a tensor may be given where a number is expected.
bool is_constant_number(const Tensor& tensor) {
  return tensor.dim() == 0 && !autograd::requires_grad(tensor);
}

bool accepts(const Parameter& parameter, PyObject* object) {
  if (object == Py_None) return parameter.optional || parameter.kind == Kind::any;
  switch (parameter.kind) {
    case Kind::tensor:
      return is_tensor(object);
    case Kind::tensors:
      return PyTuple_Check(object) || PyList_Check(object);
    case Kind::operand:
      return is_tensor(object) || is_number(object);
    case Kind::scalar:
    case Kind::real:
      return is_number(object) || (is_tensor(object) && is_constant_number(get_tensor(object)));
    case Kind::integer:
      return is_integer(object);
    case Kind::integers:
      return is_integer_sequence(object) || (parameter.takes_single && is_integer(object));
    case Kind::boolean:
      return PyBool_Check(object);
    case Kind::string:
      return PyUnicode_Check(object);
    case Kind::dtype:
      return is_dtype(object);
    case Kind::any:
      return true;
  }
  return false;
}

bool is_anything(PyObject*) { return true; }

bool same_name(PyObject* a, PyObject* b) { return a == b || (b && PyUnicode_Compare(a, b) == 0); }

/// Puts the arguments of a call into one slot per parameter.
Mismatch bind(const Overload& overload, const Call& call, PyObject** slots, Object& gathered) {
  PyObject* const* args = call.args;
  const Py_ssize_t count = call.count;
  PyObject* keywords = call.keywords;
  const auto& parameters = overload.parameters;
  const int total = static_cast<int>(parameters.size());
  for (int i = 0; i < total; ++i) slots[i] = nullptr;
  Py_ssize_t used = 0;
  for (int i = 0; i < overload.positional && used < count; ++i) {
    const Parameter& parameter = parameters[i];
    const auto is_member = parameter.kind == Kind::any       ? is_anything
                           : parameter.kind == Kind::tensors ? is_tensor
                                                             : is_integer;
    // A function of a tensor takes its sizes as one tuple: reshape(x, (2, 3)).
    const bool spread = parameter.varargs && (parameter.kind != Kind::integers || i == 0 || call.is_method);
    if (spread && is_member(args[used])) {
      const Py_ssize_t rest = count - used;
      gathered = Object::steal(PyTuple_New(rest));
      for (Py_ssize_t k = 0; k < rest; ++k) {
        if (!is_member(args[used + k])) return {Fit::wrong_type, i, args[used + k]};
        PyTuple_SET_ITEM(gathered.get(), k, Py_NewRef(args[used + k]));
      }
      slots[i] = gathered.get();
      used = count;
    } else {
      slots[i] = args[used++];
    }
  }
  if (used < count) return {Fit::too_many, static_cast<int>(used), nullptr};
  const Py_ssize_t keyword_count = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  for (Py_ssize_t k = 0; k < keyword_count; ++k) {
    PyObject* name = PyTuple_GET_ITEM(keywords, k);
    int i = 0;
    while (i < total && !same_name(name, parameters[i].name) && !same_name(name, parameters[i].alias)) ++i;
    if (i == total) return {Fit::unknown_keyword, 0, name};
    if (slots[i]) return {Fit::duplicate, i, name};
    slots[i] = args[count + k];
  }
  for (int i = 0; i < total; ++i) {
    if (!slots[i]) {
      if (!parameters[i].value) return {Fit::missing, i, nullptr};
      slots[i] = parameters[i].value;
    } else if (!accepts(parameters[i], slots[i])) {
      return {Fit::wrong_type, i, slots[i]};
    }
  }
  return {Fit::yes, 0, nullptr};
}

PyObject* compute_operation(PyObject* self, PyObject* const* args, size_t flags, PyObject* keywords) {
  const Operation& operation = *reinterpret_cast<OperationObject*>(self)->operation;
  const Py_ssize_t count = PyVectorcall_NARGS(flags);
  try {
    PyObject* slots[kMaxParameters];
    Object gathered;
    const Call call{args, count, keywords, reinterpret_cast<OperationObject*>(self)->is_method};
    const Py_ssize_t total = count + call.keyword_count();
    if (overriding_types_exist && operation.overridable) [[unlikely]] {
      if (operation.random && random_override) return call_random_override(self, args, count, keywords);
      if (any_overrides(args, total)) return call_override(self, args, count, keywords);
    }
    for (const Overload& overload : operation.overloads) {
      if (bind(overload, call, slots, gathered).reason != Fit::yes) continue;
      if (overload.deprecated) [[unlikely]]
        warn_deprecated(operation, overload);
      return overload.invoke(overload, slots);
    }
    if (operation.overridable && any_overrides(args, total))  // by an object that is no tensor
      return call_override(self, args, count, keywords);
    const Overload& meant = intended_overload(operation, call);
    explain(operation, meant, bind(meant, call, slots, gathered), call);
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

PyObject* call_operation(PyObject* self, PyObject* const* args, size_t flags, PyObject* keywords) {
  profiler::Handle event = profiler::kNothing;
  if (profiler::active) [[unlikely]] {
    const Operation& operation = *reinterpret_cast<OperationObject*>(self)->operation;
    const Py_ssize_t count = PyVectorcall_NARGS(flags) + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
    event = begin_operation(operation.name.c_str(), args, count);
  }
  return leave_operation(event, compute_operation(self, args, flags, keywords));
}

template <class... Tensors>
Tensor call_with(void (*function)(), const Tensors&... tensors) {
  return reinterpret_cast<Tensor (*)(const Tensors&...)>(function)(tensors...);
}

PyObject* bind_method(PyObject* self, PyObject* instance, PyObject*) {
  return instance && instance != Py_None ? PyMethod_New(self, instance) : Py_NewRef(self);
}
PyObject* operation_repr(PyObject* self) {
  return PyUnicode_FromFormat("<built-in method %s>",
                              reinterpret_cast<OperationObject*>(self)->operation->name.c_str());
}
PyObject* operation_name(PyObject* self, void*) {
  return PyUnicode_FromString(reinterpret_cast<OperationObject*>(self)->operation->name.c_str());
}
PyObject* operation_qualified_name(PyObject* self, void*) {
  const auto* object = reinterpret_cast<OperationObject*>(self);
  return to_python((object->is_method ? "Tensor." : "") + object->operation->name);
}
PyObject* operation_module(PyObject*, void*) { return PyUnicode_FromString("tapegrad"); }
PyObject* operation_doc(PyObject* self, void*) {
  const Operation& operation = *reinterpret_cast<OperationObject*>(self)->operation;
  std::string text;
  for (const Overload& overload : operation.overloads)
    if (!overload.deprecated) text += overload.signature + "\n";
  return to_python(operation.doc.empty() ? text : text + "\n" + operation.doc);
}
PyObject* operation_signatures(PyObject* self, void*) {
  const Operation& operation = *reinterpret_cast<OperationObject*>(self)->operation;
  PyObject* list = PyList_New(0);
  for (const Overload& overload : operation.overloads)
    if (!overload.deprecated) PyList_Append(list, Object::steal(to_python(overload.signature)).get());
  return list;
}
/// For inspect.signature, where there is one form only.
PyObject* operation_text_signature(PyObject* self, void*) {
  const auto* object = reinterpret_cast<OperationObject*>(self);
  const std::vector<Overload>& overloads = object->operation->overloads;
  if (overloads.size() > 1) Py_RETURN_NONE;
  std::string text = "(";
  bool star = false;
  for (const Parameter& parameter : overloads[0].parameters) {
    if (text.size() > 1) text += ", ";
    if (parameter.keyword_only && !star) text += "*, ";
    star = parameter.keyword_only;
    text += concat(parameter.varargs ? "*" : "", PyUnicode_AsUTF8(parameter.name));
    if (parameter.value)
      text += concat("=", PyUnicode_AsUTF8(Object::steal(PyObject_Repr(parameter.value)).get()));
  }
  return to_python(text + ")");
}
PyObject* operation_reduce(PyObject* self, PyObject*) { return operation_name(self, nullptr); }

PyGetSetDef operation_attributes[] = {
    {"__name__", operation_name, nullptr, nullptr, nullptr},
    {"__qualname__", operation_qualified_name, nullptr, nullptr, nullptr},
    {"__module__", operation_module, nullptr, nullptr, nullptr},
    {"__doc__", operation_doc, nullptr, nullptr, nullptr},
    {"__text_signature__", operation_text_signature, nullptr, nullptr, nullptr},
    {"_signatures", operation_signatures, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef operation_methods[] = {{"__reduce__", operation_reduce, METH_NOARGS, nullptr},
                                   {nullptr, nullptr, 0, nullptr}};
PyMemberDef operation_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(OperationObject, call), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

int make_operation_type() {
  PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                         {Py_tp_descr_get, reinterpret_cast<void*>(bind_method)},
                         {Py_tp_repr, reinterpret_cast<void*>(operation_repr)},
                         {Py_tp_getset, operation_attributes},
                         {Py_tp_methods, operation_methods},
                         {Py_tp_members, operation_members},
                         {0, nullptr}};
  PyType_Spec spec = {"tapegrad._C.builtin_operation", sizeof(OperationObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR |
                          Py_TPFLAGS_DISALLOW_INSTANTIATION,
                      slots};
  operation_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return operation_type ? 0 : -1;
}

/// A line per member, as PyTorch prints them.
PyObject* represent_named_tuple(PyObject* self) {
  const std::string_view name(Py_TYPE(self)->tp_name);
  std::string text = concat("torch.return_types.", name.substr(name.rfind('.') + 1), "(");
  const PyMemberDef* members = Py_TYPE(self)->tp_members;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); ++i) {
    const Object item = Object::steal(PyObject_Repr(PyTuple_GET_ITEM(self, i)));
    if (!item.get()) return nullptr;
    text += (i == 0 ? "\n" : ",\n") + std::string(members[i].name) + "=" + PyUnicode_AsUTF8(item.get());
  }
  return PyUnicode_FromString((text + ")").c_str());
}

std::map<std::string, PyTypeObject*>& named_tuples() {
  static std::map<std::string, PyTypeObject*> types;
  return types;
}

PyTypeObject* make_named_tuple(const std::string& name, std::string_view members) {
  PyTypeObject*& type = named_tuples()[name];
  if (type) return type;
  std::vector<std::string> names;
  while (!members.empty()) {
    const size_t comma = members.find(',');
    names.emplace_back(trim(members.substr(0, comma)));
    members = comma == std::string_view::npos ? std::string_view() : members.substr(comma + 1);
  }
  // Types are never freed, and refer to these strings.
  auto* fields = new std::vector<PyStructSequence_Field>;
  for (const std::string& member : names) fields->push_back({(new std::string(member))->c_str(), nullptr});
  fields->push_back({nullptr, nullptr});
  PyStructSequence_Desc description = {(new std::string("tapegrad.return_types." + name))->c_str(), nullptr,
                                       fields->data(), static_cast<int>(names.size())};
  type = PyStructSequence_NewType(&description);
  if (type) type->tp_repr = represent_named_tuple;
  return type;
}

}  // namespace

std::vector<Tensor> Argument<std::vector<Tensor>>::get(PyObject* object) {
  std::vector<Tensor> tensors;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(object, i);
    TG_CHECK_TYPE(is_tensor(item), "expected Tensor as element ", i, " in argument 0, but got ",
                  Py_TYPE(item)->tp_name);
    tensors.push_back(get_tensor(item));
  }
  return tensors;
}

PyObject* to_python(const std::vector<Tensor>& tensors) {
  Object tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(tensors.size())));
  for (size_t i = 0; i < tensors.size(); ++i)
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), wrap(tensors[i]));
  return tuple.release();
}

PyObject* make_tuple(const Overload& overload, std::vector<Object> members) {
  Object tuple = checked(overload.result_type ? PyStructSequence_New(overload.result_type)
                                              : PyTuple_New(static_cast<Py_ssize_t>(members.size())));
  for (size_t i = 0; i < members.size(); ++i) {
    if (overload.result_type)
      PyStructSequence_SetItem(tuple.get(), static_cast<Py_ssize_t>(i), members[i].release());
    else
      PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), members[i].release());
  }
  return tuple.release();
}

namespace {

/// Writes what was computed into the tensor given as out=.
void place_result(const Overload& overload, PyObject* target, PyObject* result) {
  TG_CHECK_TYPE(is_tensor(target) && is_tensor(result), "out= expects a Tensor, not ",
                Py_TYPE(target)->tp_name);
  const Tensor &out = get_tensor(target), &computed = get_tensor(result);
  const std::string_view signature = overload.signature;
  autograd::check_out(signature.substr(0, signature.find('(')), out, computed);
  TG_CHECK(can_cast(computed.dtype(), out.dtype()), "result type ", scalar_type_name(computed.dtype()),
           " can't be cast to the desired output type ", scalar_type_name(out.dtype()));
  autograd::check_writable(out);
  if (!(out.shape() == computed.shape())) resize_output(out, computed.shape());
  copy_values(out, computed);
  out.bump_version();
}

}  // namespace

TensorFunction::TensorFunction(PyObject* operation) {
  if (Py_TYPE(operation) != operation_type) return;
  const Overload& form = reinterpret_cast<OperationObject*>(operation)->operation->overloads.front();
  using T = const Tensor&;
  constexpr Overload::Invoke invokes[kMaxTensors] = {invoke<Tensor, T>, invoke<Tensor, T, T>,
                                                     invoke<Tensor, T, T, T>};
  for (int i = 0; i < kMaxTensors; ++i)
    if (form.invoke == invokes[i]) count_ = i + 1;
  required_ = form.required;
  function_ = form.function;
}

Tensor TensorFunction::operator()(const std::array<Tensor, kMaxTensors>& tensors) const {
  const auto& [a, b, c] = tensors;
  return count_ == 1   ? call_with(function_, a)
         : count_ == 2 ? call_with(function_, a, b)
                       : call_with(function_, a, b, c);
}

PyObject* finish_result(const Overload& overload, int arity, PyObject* const* slots, PyObject* result) {
  Object owned = Object::steal(result);
  for (size_t i = static_cast<size_t>(arity); i < overload.parameters.size(); ++i) {
    PyObject* value = slots[i];
    if (value == overload.parameters[i].value) continue;  // the default
    const std::string_view name = Argument<std::string_view>::get(overload.parameters[i].name);
    if (name == "out") {
      if (is_tensor(result)) {
        for (int operand = 0; operand < arity && is_tensor(value); ++operand)
          TG_CHECK(slots[operand] != value || get_tensor(value).shape() == get_tensor(result).shape(),
                   "output with shape ", to_string(get_tensor(value).shape()),
                   " doesn't match the broadcast shape ", to_string(get_tensor(result).shape()));
        place_result(overload, value, result);
        owned = Object::borrow(value);
        continue;
      }
      TG_CHECK_TYPE(PyTuple_Check(value) && PyTuple_GET_SIZE(value) == PyTuple_GET_SIZE(result),
                    "out= expects a tuple of ", PyTuple_GET_SIZE(result), " Tensors, not ",
                    Py_TYPE(value)->tp_name);
      std::vector<Object> members;
      for (Py_ssize_t m = 0; m < PyTuple_GET_SIZE(value); ++m) {
        place_result(overload, PyTuple_GET_ITEM(value, m), PyTuple_GET_ITEM(result, m));
        members.push_back(Object::borrow(PyTuple_GET_ITEM(value, m)));
      }
      owned = Object::steal(make_tuple(overload, std::move(members)));
    } else if (name == "requires_grad") {
      if (PyObject_IsTrue(value) != 1) continue;
      TG_CHECK(get_tensor(result).is_floating(),
               "Only Tensors of floating point and complex dtype can require gradients; this one has type ",
               dtype_name(get_tensor(result).dtype()));
      autograd::set_requires_grad(get_tensor(result), true);
    } else if (name == "device") {
      check_device(value);
    }
  }
  return owned.release();
}

void add_overload(const char* signature, Overload::Invoke invoke, void (*function)(), int arity, As where,
                  const char* doc) {
  std::string_view text(signature);
  constexpr std::string_view deprecated = " deprecated";
  Overload overload;
  overload.deprecated = text.ends_with(deprecated);
  if (overload.deprecated) text.remove_suffix(deprecated.size());
  const size_t open = text.find('(');
  size_t close = text.find(") ->");
  const std::string name(text.substr(0, open));
  if (close != std::string_view::npos) {
    const size_t first = text.find('(', close), last = text.rfind(')');
    overload.result_type = make_named_tuple(name, text.substr(first + 1, last - first - 1));
  } else {
    close = text.rfind(')');
  }
  std::string_view list = text.substr(open + 1, close - open - 1);
  bool keyword_only = false;
  while (!list.empty()) {
    // A default may hold commas: (0, 1).
    size_t comma = 0;
    for (int depth = 0; comma < list.size() && (list[comma] != ',' || depth > 0); ++comma)
      depth += list[comma] == '(' ? 1 : list[comma] == ')' ? -1 : 0;
    const std::string_view item = trim(list.substr(0, comma));
    list = comma < list.size() ? list.substr(comma + 1) : std::string_view();
    if (item == "*") {
      keyword_only = true;
      continue;
    }
    overload.parameters.push_back(parse_parameter(item));
    overload.parameters.back().keyword_only = keyword_only;
    if (!keyword_only) ++overload.positional;
    if (!overload.parameters.back().value) ++overload.required;
  }
  if (overload.parameters.size() > kMaxParameters || static_cast<int>(overload.parameters.size()) < arity)
    fail(ErrorKind::runtime, "signature does not fit its function: ", signature);
  overload.signature = text;
  overload.invoke = invoke;
  overload.function = function;
  auto& entry = registry()[name];
  entry.operation.name = name;
  entry.operation.overridable = name != "_make_subclass";  // which makes the instances that override
  entry.where = where;
  for (const Parameter& parameter : overload.parameters)
    if (PyUnicode_CompareWithASCIIString(parameter.name, "generator") == 0) entry.operation.random = true;
  if (name.find("dropout") != std::string::npos) entry.operation.random = true;
  if (*doc) entry.operation.doc = doc;
  entry.operation.overloads.push_back(std::move(overload));
}

namespace {

bool takes_tensor_first(const Operation& operation) {
  const auto& parameters = operation.overloads[0].parameters;
  return !parameters.empty() && (parameters[0].kind == Kind::tensor || parameters[0].kind == Kind::operand);
}

}  // namespace

int publish_operations(PyObject* module) {
  if (make_operation_type() < 0) return -1;
  for (auto& [name, entry] : registry()) {
    std::string& doc = entry.operation.doc;
    if (doc.empty()) doc = op_doc(name);
    const std::string base = name.substr(0, name.size() - 1);
    if (doc.empty() && name.back() == '_' && registry().count(base)) doc = "In-place form of `" + base + "`.";
    auto make = [&operation = entry.operation](bool is_method) {
      auto* object = PyObject_New(OperationObject, operation_type);
      if (!object) throw PythonError{};
      object->call = call_operation;
      object->operation = &operation;
      object->is_method = is_method;
      return Object::steal(reinterpret_cast<PyObject*>(object));
    };
    if (entry.where != As::method && PyModule_AddObjectRef(module, name.c_str(), make(false).get()) < 0)
      return -1;
    if (entry.where != As::function && takes_tensor_first(entry.operation) &&
        PyObject_SetAttrString(reinterpret_cast<PyObject*>(tensor_type), name.c_str(), make(true).get()) < 0)
      return -1;
  }
  const Object types = checked(PyDict_New());
  for (const auto& [name, type] : named_tuples())
    PyDict_SetItemString(types.get(), name.c_str(), reinterpret_cast<PyObject*>(type));
  return PyModule_AddObjectRef(module, "_return_types", types.get());
}

PyObject* operation_names() {
  PyObject* list = PyList_New(0);
  for (const auto& [name, entry] : registry()) {
    if (name.back() == '_' && registry().count(name.substr(0, name.size() - 1))) continue;
    const bool method = entry.where != As::function && takes_tensor_first(entry.operation);
    PyList_Append(list, Object::steal(Py_BuildValue("(sNN)", name.c_str(), PyBool_FromLong(method),
                                                    PyBool_FromLong(registry().count(name + "_") > 0)))
                            .get());
  }
  return list;
}

}  // namespace tapegrad::python
