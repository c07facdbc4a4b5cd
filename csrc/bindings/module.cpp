// The extension module tapegrad._C: calls what each family registers, in order.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/arg_parser.h"
#include "bindings/device.h"
#include "bindings/overrides.h"
#include "bindings/python_function.h"
#include "bindings/register.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/warning.h"
#include "kernels/blas.h"
#include "kernels/kernels.h"
#include "ops/install.h"
#include "ops/loops.h"

namespace py = pybind11;
using namespace tapegrad;

namespace tapegrad::python {

void register_memory(PyObject* target) {
  auto module = py::reinterpret_borrow<py::module_>(target);
  module.def(
      "memory_stats",
      [] {
        const MemoryStats& stats = memory_stats();
        py::dict result;
        result["allocated_bytes"] = stats.allocated_bytes;
        result["peak_bytes"] = stats.peak_bytes;
        result["cached_bytes"] = stats.cached_bytes;
        result["allocations"] = stats.allocations;
        result["live_tensors"] = stats.live_tensors;
        result["live_nodes"] = stats.live_nodes;
        return result;
      },
      "Bytes handed out now, at the peak and kept for reuse; calls to the allocator; tensors and graph nodes "
      "alive.");
  module.def("reset_peak_memory_stats", &reset_peak_memory, "Starts peak_bytes of memory_stats() anew.");
  module.def("empty_cache", &empty_cache, "Returns cached memory to the system.");
  module.def("get_num_threads", &get_num_threads,
             "The number of threads that large operations are split over.");
  module.def(
      "set_num_threads",
      [](int64_t count) {
        TG_CHECK(count > 0, "set_num_threads expects a positive integer, but got ", count);
        set_num_threads(static_cast<int>(std::min<int64_t>(count, 1024)));
      },
      "Sets the number of threads that large operations are split over.");
  module.def("_op_names", [] { return py::reinterpret_steal<py::object>(operation_names()); });
  module.def("_build_info", [] {
    py::dict info;
    info["compiler"] = "GCC-compatible " __VERSION__;
    info["blas"] = blas::description();
    info["instruction_set"] = kernels->name;
    py::list available;
    for (const char* const* name = available_kernels(); *name; ++name) available.append(*name);
    info["available_instruction_sets"] = available;
    info["threads"] = get_num_threads();
    return info;
  });
}

}  // namespace tapegrad::python

PYBIND11_MODULE(_C, module) {
  using namespace tapegrad::python;
  module.attr("__version__") = TAPEGRAD_VERSION;
  if (const char* problem = select_kernels()) throw py::import_error(problem);
  try {
    blas::initialize();
  } catch (const std::exception& error) {
    throw py::import_error(error.what());
  }
  install_gradient_ops();
  LongWork::begin = [] { return static_cast<void*>(PyEval_SaveThread()); };
  LongWork::end = [](void* state) { PyEval_RestoreThread(static_cast<PyThreadState*>(state)); };
  show_warning = warn;
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error&) {
      set_python_error();
    } catch (const PythonError&) {
    }
  });
  if (add_types(module.ptr()) < 0 || !make_tensor_type()) throw py::error_already_set();
  if (add_node_type(module.ptr()) < 0 || add_function_types(module.ptr()) < 0) throw py::error_already_set();
  module.attr("Tensor") = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(tensor_type));
  register_overrides(module.ptr());
  define_elementwise_ops();
  define_create_ops();
  define_autograd_ops();
  define_forward_ops();
  define_hook_ops();
  define_matmul_ops();
  define_view_ops();
  define_index_ops();
  define_data_ops();
  define_dlpack_ops();
  define_numpy_ops();
  define_random_ops();
  define_tensor_methods();
  define_reduce_ops();
  define_loss_ops();
  define_conv_ops();
  if (publish_operations(module.ptr()) < 0) throw py::error_already_set();
  register_graph(module.ptr());
  register_transforms(module.ptr());
  register_memory(module.ptr());
  register_module_slots(module.ptr());
  register_layer_forward(module.ptr());
  register_optim(module.ptr());
  register_generator(module.ptr());
  if (register_saved_hooks(module.ptr()) < 0 || register_anomaly(module.ptr()) < 0)
    throw py::error_already_set();
  if (register_grad_modes(module.ptr()) < 0 || register_profiler(module.ptr()) < 0 ||
      register_graph_walk(module.ptr()) < 0 || add_device(module.ptr()) < 0)
    throw py::error_already_set();
}
