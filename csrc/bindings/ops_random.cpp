// Random operations and the class Generator in Python.
#include <pybind11/pybind11.h>

#include "bindings/arg_parser.h"
#include "bindings/device.h"
#include "bindings/generator.h"
#include "bindings/register.h"
#include "ops/copy.h"
#include "ops/random.h"

namespace tapegrad::python {

namespace py = pybind11;

namespace {

using MaybeInt = std::optional<int64_t>;
using MaybeType = std::optional<DType>;

#define TG_GENERATOR "any generator=None"
#define TG_OPTIONS                                                                                        \
  "Tensor? out=None, any layout=None, any device=None, bool? pin_memory=None, bool? requires_grad=None, " \
  "any memory_format=None"

DType floating(MaybeType dtype) { return dtype.value_or(default_dtype()); }
DType integral(MaybeType dtype) { return dtype.value_or(DType::int64); }

/// In-place fills with one and with two parameters.
template <auto fill>
const Tensor& fill_by(const Tensor& self, double a, PyObject* generator) {
  return fill(self, a, get_generator(generator));
}
template <auto fill>
const Tensor& fill_by_two(const Tensor& self, double a, double b, PyObject* generator) {
  return fill(self, a, b, get_generator(generator));
}
constexpr auto bernoulli_scalar = [](const Tensor& self, double p, Generator& g) -> const Tensor& {
  return bernoulli_(self, p, g);
};

Tensor normal_numbers(double mean, double std, IntSpan size, PyObject* generator, MaybeType dtype) {
  check_shape(size, floating(dtype));
  return normal_(empty(size, floating(dtype)), mean, std, get_generator(generator));
}

void define_fills() {
  def_op("uniform_(Tensor self, float from=0.0, float to=1.0, *, " TG_GENERATOR ")", fill_by_two<uniform_>,
         As::method);
  def_op("normal_(Tensor self, float mean=0.0, float std=1.0, *, " TG_GENERATOR ")", fill_by_two<normal_>,
         As::method);
  def_op("log_normal_(Tensor self, float mean=1.0, float std=2.0, *, " TG_GENERATOR ")",
         fill_by_two<log_normal_>, As::method);
  def_op("cauchy_(Tensor self, float median=0.0, float sigma=1.0, *, " TG_GENERATOR ")", fill_by_two<cauchy_>,
         As::method);
  def_op("exponential_(Tensor self, float lambd=1.0, *, " TG_GENERATOR ")", fill_by<exponential_>,
         As::method);
  def_op("geometric_(Tensor self, float p, *, " TG_GENERATOR ")", fill_by<geometric_>, As::method);
  def_op(
      "bernoulli_(Tensor self, Tensor p, *, " TG_GENERATOR ")",
      [](const Tensor& self, const Tensor& p, PyObject* generator) -> const Tensor& {
        return bernoulli_(self, p, get_generator(generator));
      },
      As::method);
  def_op("bernoulli_(Tensor self, float p=0.5, *, " TG_GENERATOR ")", fill_by<bernoulli_scalar>, As::method);
  def_op(
      "random_(Tensor self, *, " TG_GENERATOR ")",
      [](const Tensor& self, PyObject* generator) -> const Tensor& {
        return random_(self, std::nullopt, std::nullopt, get_generator(generator));
      },
      As::method);
  def_op(
      "random_(Tensor self, int to, *, " TG_GENERATOR ")",
      [](const Tensor& self, int64_t to, PyObject* generator) -> const Tensor& {
        return random_(self, std::nullopt, to, get_generator(generator));
      },
      As::method);
  def_op(
      "random_(Tensor self, int from, int? to, *, " TG_GENERATOR ")",
      [](const Tensor& self, int64_t from, MaybeInt to, PyObject* generator) -> const Tensor& {
        return random_(self, from, to, get_generator(generator));
      },
      As::method);
}

void define_factories() {
  def_op(
      "rand(int[*] size, *, " TG_GENERATOR ", dtype? dtype=None, " TG_OPTIONS ")",
      [](IntSpan size, PyObject* generator, MaybeType dtype) {
        return rand(size, floating(dtype), get_generator(generator));
      },
      As::function, "Uniform numbers in [0, 1).");
  def_op(
      "randn(int[*] size, *, " TG_GENERATOR ", dtype? dtype=None, " TG_OPTIONS ")",
      [](IntSpan size, PyObject* generator, MaybeType dtype) {
        return randn(size, floating(dtype), get_generator(generator));
      },
      As::function, "Normal numbers with mean 0 and variance 1.");
  def_op(
      "randint(int high, int[] size, *, " TG_GENERATOR ", dtype? dtype=None, " TG_OPTIONS ")",
      [](int64_t high, IntSpan size, PyObject* generator, MaybeType dtype) {
        return randint(0, high, size, integral(dtype), get_generator(generator));
      },
      As::function, "Integers in [low, high).");
  def_op(
      "randint(int low, int high, int[] size, *, " TG_GENERATOR ", dtype? dtype=None, " TG_OPTIONS ")",
      [](int64_t low, int64_t high, IntSpan size, PyObject* generator, MaybeType dtype) {
        return randint(low, high, size, integral(dtype), get_generator(generator));
      },
      As::function);
  def_op(
      "randperm(int n, *, " TG_GENERATOR ", dtype? dtype=None, " TG_OPTIONS ")",
      [](int64_t n, PyObject* generator, MaybeType dtype) {
        return randperm(n, integral(dtype), get_generator(generator));
      },
      As::function, "A random permutation of 0..n-1.");
  def_op(
      "rand_like(Tensor input, *, " TG_GENERATOR ", dtype? dtype=None, " TG_OPTIONS ")",
      [](const Tensor& like, PyObject* generator, MaybeType dtype) -> Tensor {
        return uniform_(empty_like_layout(like, dtype.value_or(like.dtype())), 0, 1,
                        get_generator(generator));
      },
      As::function);
  def_op(
      "randn_like(Tensor input, *, " TG_GENERATOR ", dtype? dtype=None, " TG_OPTIONS ")",
      [](const Tensor& like, PyObject* generator, MaybeType dtype) -> Tensor {
        return normal_(empty_like_layout(like, dtype.value_or(like.dtype())), 0, 1, get_generator(generator));
      },
      As::function);
  def_op(
      "randint_like(Tensor input, int high, *, " TG_GENERATOR ", dtype? dtype=None, " TG_OPTIONS ")",
      [](const Tensor& like, int64_t high, PyObject* generator, MaybeType dtype) -> Tensor {
        return random_(empty_like_layout(like, dtype.value_or(like.dtype())), 0, high,
                       get_generator(generator));
      },
      As::function);
  def_op(
      "randint_like(Tensor input, int low, int high, *, " TG_GENERATOR ", dtype? dtype=None, " TG_OPTIONS ")",
      [](const Tensor& like, int64_t low, int64_t high, PyObject* generator, MaybeType dtype) -> Tensor {
        return random_(empty_like_layout(like, dtype.value_or(like.dtype())), low, high,
                       get_generator(generator));
      },
      As::function);
}

void define_distributions() {
  def_op(
      "normal(Tensor mean, Tensor std, *, " TG_GENERATOR ", Tensor? out=None)",
      [](const Tensor& mean, const Tensor& std, PyObject* generator) {
        return normal(mean, std, get_generator(generator));
      },
      As::function, "Normal numbers with the given means and standard deviations.");
  def_op(
      "normal(Tensor mean, float std=1.0, *, " TG_GENERATOR ", Tensor? out=None)",
      [](const Tensor& mean, double std, PyObject* generator) {
        return normal(mean, std, get_generator(generator));
      },
      As::function);
  def_op(
      "normal(float mean, Tensor std, *, " TG_GENERATOR ", Tensor? out=None)",
      [](double mean, const Tensor& std, PyObject* generator) {
        return normal(mean, std, get_generator(generator));
      },
      As::function);
  def_op("normal(float mean, float std, int[] size, *, " TG_GENERATOR ", dtype? dtype=None, " TG_OPTIONS ")",
         normal_numbers, As::function);
  def_op(
      "bernoulli(Tensor input, *, " TG_GENERATOR ", Tensor? out=None)",
      [](const Tensor& p, PyObject* generator) { return bernoulli(p, get_generator(generator)); },
      "1 with the probability that the input says, else 0.");
  def_op("bernoulli(Tensor input, float p, *, " TG_GENERATOR ")",
         [](const Tensor& like, double p, PyObject* generator) -> Tensor {
           return bernoulli_(empty_like_layout(like, like.dtype()), p, get_generator(generator));
         });
  def_op(
      "poisson(Tensor input, " TG_GENERATOR ")",
      [](const Tensor& rate, PyObject* generator) { return poisson(rate, get_generator(generator)); },
      As::function, "Poisson numbers with the given means.");
  def_op(
      "binomial(Tensor count, Tensor prob, " TG_GENERATOR ")",
      [](const Tensor& count, const Tensor& p, PyObject* generator) {
        return binomial(count, p, get_generator(generator));
      },
      As::function, "The number of successes in `count` trials.");
  def_op(
      "multinomial(Tensor input, int num_samples, bool replacement=False, *, " TG_GENERATOR
      ", Tensor? out=None)",
      [](const Tensor& weights, int64_t samples, bool replacement, PyObject* generator) {
        return multinomial(weights, samples, replacement, get_generator(generator));
      },
      "Indices drawn by the weights of each row.");
}

void define_dropouts() {
  def_op("dropout(Tensor input, float p, bool train)", dropout, As::function,
         "Zeroes elements with probability p and scales the others by 1 / (1 - p) if `train`.");
  def_op("dropout_(Tensor input, float p, bool train)", dropout_, As::function);
  def_op("feature_dropout(Tensor input, float p, bool train)", feature_dropout, As::function,
         "Dropout of whole channels.");
  def_op("feature_dropout_(Tensor input, float p, bool train)", feature_dropout_, As::function);
  def_op("alpha_dropout(Tensor input, float p, bool train)", alpha_dropout, As::function,
         "Dropout that keeps mean and variance.");
  def_op("alpha_dropout_(Tensor input, float p, bool train)", alpha_dropout_, As::function);
  def_op("feature_alpha_dropout(Tensor input, float p, bool train)", feature_alpha_dropout, As::function);
  def_op("feature_alpha_dropout_(Tensor input, float p, bool train)", feature_alpha_dropout_, As::function);
}

/// Seeds are 64 bits; negative ones count from the end of the unsigned range.
uint64_t seed_from(const py::object& seed) {
  const py::object number = py::reinterpret_steal<py::object>(PyNumber_Long(seed.ptr()));
  if (!number) throw py::error_already_set();
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  if (overflow == 0) return static_cast<uint64_t>(value);
  const unsigned long long large = PyLong_AsUnsignedLongLong(number.ptr());
  if (PyErr_Occurred()) {
    PyErr_Clear();
    fail(ErrorKind::value, "Overflow when unpacking long long: a seed has 64 bits");
  }
  return large;
}

py::object state_of(const Generator& generator) {
  const Generator::State state = generator.state();
  Tensor bytes = empty(Dims{static_cast<int64_t>(state.size())}, DType::uint8);
  std::copy(state.begin(), state.end(), bytes.data<uint8_t>());
  return py::reinterpret_steal<py::object>(wrap(std::move(bytes)));
}

void set_state(Generator& generator, const py::object& state) {
  TG_CHECK_TYPE(is_tensor(state.ptr()) && get_tensor(state.ptr()).dtype() == DType::uint8,
                "RNG state must be a torch.ByteTensor");
  const Tensor bytes = contiguous_values(get_tensor(state.ptr()));
  generator.set_state({bytes.data<uint8_t>(), static_cast<size_t>(bytes.numel())});
}

}  // namespace

Generator& get_generator(PyObject* object) {
  if (object == Py_None) return default_generator();
  if (!py::isinstance<Generator>(object))
    fail(ErrorKind::type, "argument 'generator' must be torch.Generator, not ", Py_TYPE(object)->tp_name);
  return py::cast<Generator&>(py::handle(object));
}

void define_random_ops() {
  define_fills();
  define_factories();
  define_distributions();
  define_dropouts();
}

void register_generator(PyObject* target) {
  auto module = py::reinterpret_borrow<py::module_>(target);
  py::class_<Generator>(module, "Generator",
                        "A stream of random numbers: MT19937, with the draws of PyTorch's CPU generator.")
      .def(py::init([](const py::object& device) {
             check_device(device.ptr());
             return std::make_unique<Generator>();
           }),
           py::arg("device") = py::none())
      .def(
          "manual_seed",
          [](py::object self, const py::object& seed) {
            py::cast<Generator&>(self).manual_seed(seed_from(seed));
            return self;
          },
          py::arg("seed"), "Starts the stream of a seed and returns the generator.")
      .def("seed", &Generator::seed, "Seeds from the operating system's entropy and returns the seed.")
      .def("initial_seed", &Generator::initial_seed, "The last seed.")
      .def("get_state", state_of, "The state as a uint8 tensor.")
      .def("set_state", set_state, py::arg("new_state"), "Continues from a saved state.")
      .def(
          "clone_state",
          [](const Generator& self) {
            auto copy = std::make_unique<Generator>();
            copy->set_state(self.state());
            return copy;
          },
          "A generator that continues from the same state.")
      .def_property_readonly(
          "device", [](const Generator&) { return py::reinterpret_borrow<py::object>(cpu_device()); });
  module.attr("default_generator") = py::cast(&default_generator(), py::return_value_policy::reference);
}

}  // namespace tapegrad::python
