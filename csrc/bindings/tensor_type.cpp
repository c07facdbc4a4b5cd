#include "bindings/tensor_type.h"

#include <structmember.h>

#include "autograd/cycles.h"
#include "autograd/variable.h"
#include "bindings/intercept.h"
#include "bindings/node_type.h"
#include "bindings/numpy.h"
#include "bindings/python_hooks.h"
#include "bindings/tensor_data.h"
#include "bindings/tensor_methods.h"

namespace tapegrad::python {

PyTypeObject* tensor_type = nullptr;
PyTypeObject* known_subclass = nullptr;

namespace {

PyTypeObject* tensor_metatype = nullptr;

// Dead objects of the exact type, for reuse. They stay allocated as garbage-collected objects, but untracked:
// only an object with attributes can be part of a cycle.
constexpr int kFreeListSize = 512;
TensorObject* free_objects[kFreeListSize];
int free_count = 0;

TensorObject* new_exact_object() {
  TensorObject* object;
  if (free_count > 0) [[likely]] {
    object = free_objects[--free_count];
    Py_INCREF(tensor_type);
    _Py_NewReference(reinterpret_cast<PyObject*>(object));
  } else {
    object = PyObject_GC_New(TensorObject, tensor_type);
    if (!object) throw PythonError{};
    object->dict = nullptr;
    object->weak_references = nullptr;
  }
  return object;
}

bool has_own_state(TensorObject* object) {
  return Py_TYPE(object) != tensor_type || object->dict || object->weak_references;
}

void deallocate(PyObject* self) {
  auto* object = reinterpret_cast<TensorObject*>(self);
  TensorImpl* impl = object->tensor.impl();
  // The object may have been the last that referred to a cycle through the tensor's gradient.
  const bool left_in_cycle = impl && impl->references > 1 && autograd::is_watched(*impl);
  if (impl && impl->references > 1 && has_own_state(object)) {
    // See Note [Python identity]: the tensor now owns the object, and no longer the other way round.
    Py_SET_REFCNT(self, 1);
    impl->owns_python_object = true;
    impl->release();
    if (left_in_cycle) autograd::collect_cycles();
    return;
  }
  PyTypeObject* type = Py_TYPE(self);
  if (type != tensor_type && type->tp_finalize && PyObject_CallFinalizerFromDealloc(self) < 0) return;
  if (PyObject_GC_IsTracked(self)) PyObject_GC_UnTrack(self);
  if (object->weak_references) PyObject_ClearWeakRefs(self);
  Py_CLEAR(object->dict);
  if (impl) {
    impl->python_object = nullptr;
    object->tensor.~Tensor();
    new (&object->tensor) Tensor();
  }
  if (type == tensor_type && free_count < kFreeListSize)
    free_objects[free_count++] = object;
  else
    type->tp_free(self);
  Py_DECREF(type);
  if (left_in_cycle) autograd::collect_cycles();
}

// The last C++ owner of a tensor that owns its Python object is gone: the object takes the tensor back and
// dies.
void release_owned_object(void* pointer) {
  auto* self = static_cast<PyObject*>(pointer);
  TensorImpl* impl = reinterpret_cast<TensorObject*>(self)->tensor.impl();
  impl->references = 1;
  impl->owns_python_object = false;
  Py_DECREF(self);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  auto* object = reinterpret_cast<TensorObject*>(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(object->dict);
  TensorImpl* impl = object->tensor.impl();
  if (!impl || impl->references != 1 || impl->owns_python_object) return 0;
  // What dies with the tensor: its hooks, and what belongs to the part of the graph that only it refers to.
  if (auto* meta = autograd::autograd_meta_or_null(object->tensor))
    for (const auto* hooks : {meta->hooks.get(), meta->post_accumulate_hooks.get()})
      if (hooks) Py_VISIT(static_cast<const PythonTensorHooks*>(hooks)->table.get());
  auto* node = static_cast<autograd::Node*>(impl->grad_fn.get());
  return node && node->references == 1 ? visit_owned(node, visit, arg) : 0;
}

int clear(PyObject* self) {
  Py_CLEAR(reinterpret_cast<TensorObject*>(self)->dict);
  return 0;  // every cycle leads through the table of hooks or the attributes of a context, which are cleared
}

// An object that gets attributes may become part of a cycle, so from then on the collector looks at it.
int set_attribute(PyObject* self, PyObject* name, PyObject* value) {
  const int status = PyObject_GenericSetAttr(self, name, value);
  if (reinterpret_cast<TensorObject*>(self)->dict) track(self);
  return status;
}

// Subclasses made in Python would get CPython's deallocator, which clears attributes before ours could call
// it off.
int initialize_subclass(PyObject* cls, PyObject* args, PyObject* kwargs) {
  if (PyType_Type.tp_init(cls, args, kwargs) < 0) return -1;
  reinterpret_cast<PyTypeObject*>(cls)->tp_dealloc = deallocate;
  return 0;
}

PyMethodDef metatype_methods[] = {
    {"mro", resolution_order, METH_NOARGS, "The classes in the order in which attributes are looked up."},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(TensorObject, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(TensorObject, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

}  // namespace

/// hash(x) == id(x), as programs that keep tables of tensors may rely on.
Py_hash_t identity(PyObject* self) { return reinterpret_cast<Py_hash_t>(self); }

PyObject* tensor_dict(PyObject* self, void*) {
  PyObject* dict = PyObject_GenericGetDict(self, nullptr);
  if (dict) track(self);
  return dict;
}

bool is_subclass_of_tensor(PyTypeObject* type) {
  if (!PyType_IsSubtype(type, tensor_type)) return false;
  Py_XSETREF(known_subclass,
             reinterpret_cast<PyTypeObject*>(Py_NewRef(type)));  // so that it stays that class
  return true;
}

PyObject* wrap_as(PyTypeObject* type, Tensor tensor) {
  TensorObject* object;
  if (type == tensor_type) {
    object = new_exact_object();
  } else {
    object = reinterpret_cast<TensorObject*>(type->tp_alloc(type, 0));
    if (!object) throw PythonError{};
  }
  tensor->python_object = object;
  new (&object->tensor) Tensor(std::move(tensor));
  return reinterpret_cast<PyObject*>(object);
}

PyObject* wrap(Tensor tensor) {
  if (!tensor.defined()) Py_RETURN_NONE;
  if (tensor->python_object) {
    auto* existing = static_cast<PyObject*>(tensor->python_object);
    if (tensor->owns_python_object) {
      tensor->owns_python_object = false;
      tensor->retain();  // the object's handle owns the tensor again; the caller gets the reference that the
                         // tensor had
    } else {
      Py_INCREF(existing);
    }
    return existing;
  }
  return wrap_as(tensor_type, std::move(tensor));
}

PyTypeObject* make_tensor_type() {
  PyType_Slot metatype_slots[] = {{Py_tp_base, &PyType_Type},
                                  {Py_tp_init, reinterpret_cast<void*>(initialize_subclass)},
                                  {Py_tp_methods, metatype_methods},
                                  {0, nullptr}};
  PyType_Spec metatype_spec = {"tapegrad._C._TensorMeta", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                               metatype_slots};
  tensor_metatype = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&metatype_spec));
  if (!tensor_metatype) return nullptr;

  std::vector<PyType_Slot> slots = {
      {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(clear)},
      {Py_tp_setattro, reinterpret_cast<void*>(set_attribute)},
      {Py_tp_members, members},
      {Py_tp_getset, tensor_attributes},
      {Py_tp_methods, tensor_methods},
      {Py_tp_new, reinterpret_cast<void*>(tensor_new)},
      {Py_bf_getbuffer, reinterpret_cast<void*>(get_tensor_buffer)},
      {Py_bf_releasebuffer, reinterpret_cast<void*>(release_tensor_buffer)},
      {Py_tp_hash, reinterpret_cast<void*>(identity)},
      {Py_tp_iter, reinterpret_cast<void*>(tensor_iterate)},
      {Py_mp_length, reinterpret_cast<void*>(tensor_length)},
      {Py_mp_subscript, reinterpret_cast<void*>(tensor_get_item)},
      {Py_mp_ass_subscript, reinterpret_cast<void*>(tensor_set_item)},
      {Py_tp_doc, const_cast<char*>("A multi-dimensional array that can record the operations on it.")},
  };
  for (const PyType_Slot& slot : tensor_number_slots()) slots.push_back(slot);
  slots.push_back({0, nullptr});
  PyType_Spec spec = {"tapegrad.Tensor", sizeof(TensorObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots.data()};
  auto* type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (!type) return nullptr;
  // PyType_FromMetaclass exists from Python 3.12 on only.
  Py_INCREF(tensor_metatype);
  Py_SET_TYPE(reinterpret_cast<PyObject*>(type), tensor_metatype);
  type->tp_name = "Tensor";  // as error messages show it
  tensor_type = type;
  TensorImpl::release_python_object = release_owned_object;
  return type;
}

}  // namespace tapegrad::python
