#include "ops/random.h"

#include <cmath>
#include <numeric>

#include "autograd/record.h"
#include "core/random_fill.h"
#include "core/random_variates.h"
#include "ops/copy.h"
#include "ops/copy_ops.h"
#include "ops/elementwise.h"
#include "ops/loops.h"
#include "ops/views.h"

namespace tapegrad {

namespace {

using autograd::Backward;
using autograd::record;

void check_floating(const Tensor& tensor, const char* kernel) {
  if (!tensor.is_floating())
    fail(ErrorKind::not_implemented, "\"", kernel, "\" not implemented for '",
         scalar_type_name(tensor.dtype()), "'");
}

/// The dimensions by falling stride: the order in which PyTorch fills a tensor that is not contiguous.
Dims memory_order(const Tensor& tensor) {
  Dims order(tensor.dim());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return tensor.strides()[static_cast<int>(a)] > tensor.strides()[static_cast<int>(b)];
  });
  return order;
}

Tensor in_order(const Tensor& tensor, const Dims& order) {
  Dims shape(tensor.dim()), strides(tensor.dim());
  for (int i = 0; i < tensor.dim(); ++i) {
    shape[i] = tensor.shape()[static_cast<int>(order[i])];
    strides[i] = tensor.strides()[static_cast<int>(order[i])];
  }
  return make_view(tensor, shape, strides, tensor.storage_offset());
}

/// Runs fill(out) on row-major memory that then becomes, or is, the contents of `self`.
template <class Fill>
void fill_in_memory_order(const Tensor& self, Fill fill) {
  check_no_internal_overlap(self);
  const Tensor ordered = self.is_contiguous() ? self : in_order(self, memory_order(self));
  const Tensor out = ordered.is_contiguous() ? ordered : empty(ordered.shape(), ordered.dtype());
  {
    const LongWorkScope scope(out.numel());
    fill(out);
  }
  if (!out.is_same(ordered)) copy_values(ordered, out);
}

/// An in-place fill: fill(out) with row-major memory. What was there before gets no gradient.
template <class Fill>
const Tensor& overwrite(const char* name, const Tensor& self, Fill fill) {
  autograd::check_inplace(self, autograd::any_tracked(autograd::TensorRefs{self}));
  fill_in_memory_order(self, fill);
  return autograd::record_inplace(
      name, self, {self}, {}, [](Backward& b) { return full_values(b.grad().shape(), 0, b.grad().dtype()); });
}

template <class Fill>
const Tensor& overwrite_floating(const char* name, const char* kernel, const Tensor& self, Fill fill) {
  check_floating(self, kernel);
  return overwrite(name, self, [&](const Tensor& out) {
    dispatch_floating(out.dtype(),
                      [&](auto tag) { fill(out.data<typename decltype(tag)::type>(), out.numel()); });
  });
}

struct Bounds {
  int64_t smallest, largest;
};
/// The integers that a type represents without gaps.
Bounds bounds_of(DType dtype) {
  return dispatch(dtype, [](auto tag) -> Bounds {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, bool>)
      return {0, 1};
    else if constexpr (std::is_integral_v<T>)
      return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
    else
      return {-(int64_t{1} << std::numeric_limits<T>::digits), int64_t{1} << std::numeric_limits<T>::digits};
  });
}

/// A result that depends on `x` but through which no gradient flows.
Tensor record_constant(const char* name, Tensor out, const Tensor& x) {
  return record(name, std::move(out), {x}, {},
                [](Backward& b) { return full_values(b.grad().shape(), 0, b.grad().dtype()); });
}

/// 1 / (1 - p) with probability 1 - p, else 0.
Tensor dropout_mask(const Tensor& like, IntSpan shape, double p) {
  check_floating(like, "bernoulli_scalar_cpu_");
  Tensor mask = std::equal(shape.begin(), shape.end(), like.shape().begin(), like.shape().end())
                    ? empty_like_layout(like, like.dtype())
                    : empty(shape, like.dtype());
  bernoulli_(mask, 1 - p, default_generator());
  dispatch_floating(mask.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (p > 0 && p < 1) elementwise_(Mul{}, mask, Scalar(static_cast<double>(T(1) / static_cast<T>(1 - p))));
  });
  return mask;
}

Dims channel_shape(const Tensor& x) {
  TG_CHECK(x.dim() >= 2, "Feature dropout requires at least 2 dimensions in the input");
  Dims shape(x.dim(), 1);
  shape[0] = x.shape()[0];
  shape[1] = x.shape()[1];
  return shape;
}

bool drops(const Tensor& x, double p, bool train) {
  TG_CHECK(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
  return train && p > 0 && x.numel() > 0;
}

struct AffineNoise {
  Tensor factor, shift;
};
/// Dropped elements take the value to which SELU saturates; then x * factor + shift has the mean and variance
/// of x.
AffineNoise alpha_noise(const Tensor& x, IntSpan shape, double p) {
  constexpr double saturation = 1.7580993408473766;  // scale * alpha of SELU
  const double a = 1 / std::sqrt((saturation * saturation * p + 1) * (1 - p));
  Tensor keep = empty(shape, x.dtype());
  bernoulli_(keep, 1 - p, default_generator());
  Tensor shift = clone(keep);
  elementwise_(Sub{}, shift, Scalar(1));
  elementwise_(Mul{}, shift, Scalar(saturation * a));
  elementwise_(Add{}, shift, Scalar(saturation * a * p));
  elementwise_(Mul{}, keep, Scalar(a));
  return {std::move(keep), std::move(shift)};
}
Tensor drop_alpha(const Tensor& x, const Dims& shape, double p) {
  if (p == 1) return elementwise(Mul{}, x, full_values(shape, 0, x.dtype()));
  const AffineNoise noise = alpha_noise(x, shape, p);
  return elementwise(Add{}, elementwise(Mul{}, x, noise.factor), noise.shift);
}
const Tensor& drop_alpha_(const Tensor& x, const Dims& shape, double p) {
  if (p == 1) return elementwise_(Mul{}, x, full_values(shape, 0, x.dtype()));
  const AffineNoise noise = alpha_noise(x, shape, p);
  elementwise_(Mul{}, x, noise.factor);
  return elementwise_(Add{}, x, noise.shift);
}

}  // namespace

Generator& default_generator() {
  static Generator generator;
  static const uint64_t seeded = generator.seed();
  static_cast<void>(seeded);
  return generator;
}

const Tensor& uniform_(const Tensor& self, double from, double to, Generator& generator) {
  TG_CHECK(from <= to, "uniform_ expects to return a [from, to) range, but found from=", from, " > to=", to);
  return overwrite_floating("UniformBackward0", "check_uniform_bounds", self,
                            [&](auto* out, int64_t n) { fill_uniform(generator, out, n, from, to); });
}

const Tensor& normal_(const Tensor& self, double mean, double std, Generator& generator) {
  TG_CHECK(std >= 0, "normal expects std >= 0.0, but found std ", std);
  const bool in_blocks = self.is_contiguous();
  return overwrite_floating("NormalBackward0", "normal_kernel_cpu", self, [&](auto* out, int64_t n) {
    in_blocks ? fill_normal(generator, out, n, mean, std)
              : fill_normal_serially(generator, out, n, mean, std);
  });
}

const Tensor& log_normal_(const Tensor& self, double mean, double std, Generator& generator) {
  TG_CHECK(std > 0, "log_normal_ expects std > 0.0, but found std=", std);
  return overwrite_floating("LogNormalBackward0", "log_normal_cpu", self,
                            [&](auto* out, int64_t n) { fill_log_normal(generator, out, n, mean, std); });
}

const Tensor& cauchy_(const Tensor& self, double median, double sigma, Generator& generator) {
  TG_CHECK(sigma > 0, "cauchy_ expects sigma > 0.0, but found sigma=", sigma);
  return overwrite_floating("CauchyBackward0", "cauchy_cpu", self,
                            [&](auto* out, int64_t n) { fill_cauchy(generator, out, n, median, sigma); });
}

const Tensor& exponential_(const Tensor& self, double lambda, Generator& generator) {
  TG_CHECK(lambda > 0, "exponential_ expects lambda > 0.0, but found lambda=", lambda);
  return overwrite_floating("ExponentialBackward0", "exponential_cpu", self,
                            [&](auto* out, int64_t n) { fill_exponential(generator, out, n, lambda); });
}

const Tensor& geometric_(const Tensor& self, double p, Generator& generator) {
  TG_CHECK(p > 0 && p < 1, "geometric_ expects p to be in (0, 1), but got p=", p);
  return overwrite("GeometricBackward0", self, [&](const Tensor& out) {
    dispatch(out.dtype(), [&](auto tag) {
      fill_geometric(generator, out.data<typename decltype(tag)::type>(), out.numel(), p);
    });
  });
}

const Tensor& bernoulli_(const Tensor& self, double p, Generator& generator) {
  TG_CHECK(p >= 0 && p <= 1, "bernoulli_ expects p to be in [0, 1], but got p=", p);
  return overwrite("BernoulliBackward2", self, [&](const Tensor& out) {
    dispatch(out.dtype(), [&](auto tag) {
      fill_bernoulli(generator, out.data<typename decltype(tag)::type>(), out.numel(), p);
    });
  });
}

const Tensor& bernoulli_(const Tensor& self, const Tensor& p, Generator& generator) {
  check_floating(p, "bernoulli_tensor_cpu_p_");
  const Tensor ordered = in_order(expand(autograd::detach(p), self.shape()), memory_order(self));
  const Tensor probabilities = ordered.is_contiguous() ? ordered : contiguous_values(ordered);
  dispatch_floating(p.dtype(), [&](auto tag) {
    using P = typename decltype(tag)::type;
    const P* values = probabilities.data<P>();
    TG_CHECK(
        std::all_of(values, values + probabilities.numel(), [](P value) { return value >= 0 && value <= 1; }),
        "Expected p_in >= 0 && p_in <= 1 to be true, but got false. The probabilities must lie in [0, 1].");
  });
  return overwrite("BernoulliBackward1", self, [&](const Tensor& out) {
    dispatch(out.dtype(), [&](auto tag) {
      auto* values = out.data<typename decltype(tag)::type>();
      dispatch_floating(p.dtype(), [&](auto p_tag) {
        fill_bernoulli(generator, values, out.numel(), probabilities.data<typename decltype(p_tag)::type>());
      });
    });
  });
}

const Tensor& random_(const Tensor& self, std::optional<int64_t> from, std::optional<int64_t> to,
                      Generator& generator) {
  const Bounds bounds = bounds_of(self.dtype());
  if (to) {
    const int64_t low = from.value_or(0);
    TG_CHECK(low < *to, "random_ expects 'from' to be less than 'to', but got from=", low, " >= to=", *to);
    if (!self.is_floating()) {
      TG_CHECK(low >= bounds.smallest && low <= bounds.largest, "from is out of bounds for ",
               cpp_type_name(self.dtype()));
      TG_CHECK(*to - 1 >= bounds.smallest && *to - 1 <= bounds.largest, "to - 1 is out of bounds for ",
               cpp_type_name(self.dtype()));
    }
  }
  const char* name = from ? "RandomBackward0" : to ? "RandomBackward1" : "RandomBackward2";
  return overwrite(name, self, [&](const Tensor& out) {
    dispatch(out.dtype(), [&](auto tag) {
      auto* values = out.data<typename decltype(tag)::type>();
      const int64_t n = out.numel();
      if (!from && !to) return fill_all_integers(generator, values, n);
      const int64_t low = from.value_or(0);
      // One more than the largest may wrap to 0, which stands for all of 2^64.
      const uint64_t range = (to ? static_cast<uint64_t>(*to) : static_cast<uint64_t>(bounds.largest) + 1) -
                             static_cast<uint64_t>(low);
      if (range > 0) return fill_integers(generator, values, n, range, low);
      if constexpr (std::is_same_v<decltype(values), int64_t*>) fill_all_bits(generator, values, n);
    });
  });
}

Tensor rand(IntSpan shape, DType dtype, Generator& generator) {
  check_shape(shape, dtype);
  return uniform_(empty(shape, dtype), 0, 1, generator);
}

Tensor randn(IntSpan shape, DType dtype, Generator& generator) {
  check_shape(shape, dtype);
  return normal_(empty(shape, dtype), 0, 1, generator);
}

Tensor randint(int64_t low, int64_t high, IntSpan shape, DType dtype, Generator& generator) {
  check_shape(shape, dtype);
  return random_(empty(shape, dtype), low, high, generator);
}

Tensor randperm(int64_t n, DType dtype, Generator& generator) {
  check_shape(Dims{n}, dtype);
  if (dtype == DType::bool_) fail(ErrorKind::not_implemented, "\"randperm\" not implemented for 'Bool'");
  TG_CHECK(n == 0 || n - 1 <= bounds_of(dtype).largest, "value cannot be converted to type ",
           cpp_type_name(dtype), " without overflow");
  Tensor out = empty(Dims{n}, dtype);
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (!std::is_same_v<T, bool>) {
      T* values = out.data<T>();
      const LongWorkScope scope(n);
      fill_permutation(generator, values, n);
    }
  });
  return out;
}

Tensor normal(const Tensor& mean, double std, Generator& generator) {
  Tensor out = empty_like_layout(mean, mean.dtype());
  normal_(out, 0, std, generator);
  elementwise_(Add{}, out, autograd::detach(mean));
  return record_constant("NormalBackward1", std::move(out), mean);
}

Tensor normal(double mean, const Tensor& std, Generator& generator) {
  Tensor out = normal(full_values({}, mean, std.dtype()), autograd::detach(std), generator);
  return record_constant("NormalBackward2", std::move(out), std);
}

Tensor normal(const Tensor& mean, const Tensor& std, Generator& generator) {
  check_floating(mean, "normal_kernel_cpu");
  const Dims shape = broadcast_shapes(mean.shape(), std.shape());
  Tensor out = empty(shape, promote(mean.dtype(), std.dtype()));
  const Tensor deviation = contiguous_values(std);
  dispatch(std.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    TG_CHECK(std::all_of(deviation.data<T>(), deviation.data<T>() + deviation.numel(),
                         [](T value) { return !(value < T(0)); }),
             "normal expects all elements of std >= 0.0");
  });
  normal_(out, 0, 1, generator);
  elementwise_(Mul{}, out, autograd::detach(std));
  elementwise_(Add{}, out, autograd::detach(mean));
  return record("NormalBackward3", std::move(out), {mean, std}, {}, [](Backward& b) {
    for (int i = 0; i < 2; ++i) b.give(i, [&] { return full_values(b.grad().shape(), 0, b.grad().dtype()); });
  });
}

Tensor bernoulli(const Tensor& p, Generator& generator) {
  Tensor out = empty_like_layout(p, p.dtype());
  bernoulli_(out, p, generator);
  return record_constant("BernoulliBackward0", std::move(out), p);
}

Tensor poisson(const Tensor& rate, Generator& generator) {
  check_floating(rate, "poisson_cpu");
  const Tensor rates = contiguous_values(rate);
  Tensor out = empty(rate.shape(), rate.dtype());
  dispatch_floating(rate.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* values = rates.data<T>();
    TG_CHECK(std::all_of(values, values + rates.numel(), [](T value) { return value >= 0; }),
             "invalid Poisson rate, expected rate to be non-negative");
    fill_poisson(generator, out.data<T>(), values, rates.numel());
  });
  return record_constant("PoissonBackward0", std::move(out), rate);
}

Tensor binomial(const Tensor& count, const Tensor& p, Generator& generator) {
  check_floating(count, "binomial_cpu");
  TG_CHECK(count.dtype() == p.dtype(), "Found dtype ", scalar_type_name(p.dtype()), " but expected ",
           scalar_type_name(count.dtype()));
  const Dims shape = broadcast_shapes(count.shape(), p.shape());
  const Tensor counts = contiguous_values(expand(autograd::detach(count), shape));
  const Tensor probabilities = contiguous_values(expand(autograd::detach(p), shape));
  Tensor out = empty(shape, count.dtype());
  dispatch_floating(count.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    fill_binomial(generator, out.data<T>(), counts.data<T>(), probabilities.data<T>(), out.numel());
  });
  return record("BinomialBackward0", std::move(out), {count, p}, {}, [](Backward& b) {
    for (int i = 0; i < 2; ++i) b.give(i, [&] { return full_values(b.grad().shape(), 0, b.grad().dtype()); });
  });
}

Tensor multinomial(const Tensor& weights, int64_t samples, bool replacement, Generator& generator) {
  TG_CHECK(weights.dim() == 1 || weights.dim() == 2, "prob_dist must be 1 or 2 dim");
  TG_CHECK(weights.is_floating(), "multinomial only supports floating-point dtypes for input, got: ",
           scalar_type_name(weights.dtype()));
  TG_CHECK(samples > 0, "cannot sample n_sample <= 0 samples");
  const int64_t categories = weights.shape().back(), rows = weights.dim() == 2 ? weights.shape()[0] : 1;
  TG_CHECK(replacement || samples <= categories,
           "cannot sample n_sample > prob_dist.size(-1) samples without replacement");
  const Tensor dense = contiguous_values(weights);
  Dims shape = weights.shape();
  shape[weights.dim() - 1] = samples;
  check_shape(shape, DType::int64);
  Tensor out = empty(shape, DType::int64);
  dispatch_floating(weights.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* w = dense.data<T>();
    int64_t* result = out.data<int64_t>();
    for (int64_t row = 0; row < rows; ++row) {
      T sum = 0;
      for (int64_t i = 0; i < categories; ++i) {
        const T weight = w[row * categories + i];
        TG_CHECK(weight >= 0 && std::isfinite(weight),
                 "probability tensor contains either `inf`, `nan` or element < 0");
        sum += weight;
      }
      TG_CHECK(sum > 0, "invalid multinomial distribution (sum of probabilities <= 0)");
    }
    if (replacement && samples > 1) return fill_multinomial(generator, result, w, rows, categories, samples);
    // The largest of w / exponential are a sample without replacement (Efraimidis and Spirakis, 2006).
    const Tensor keys = empty(dense.shape(), dense.dtype());
    T* key = keys.data<T>();
    fill_exponential(generator, key, keys.numel(), 1);
    for (int64_t i = 0; i < keys.numel(); ++i) key[i] = w[i] / key[i];
    std::vector<int64_t> order(static_cast<size_t>(categories));
    for (int64_t row = 0; row < rows; ++row, key += categories, result += samples) {
      std::iota(order.begin(), order.end(), 0);
      std::partial_sort(order.begin(), order.begin() + samples, order.end(),
                        [&](int64_t a, int64_t b) { return key[a] > key[b] || (key[a] == key[b] && a < b); });
      std::copy_n(order.begin(), samples, result);
    }
  });
  return out;
}

Tensor dropout(const Tensor& x, double p, bool train) {
  return drops(x, p, train) ? elementwise(Mul{}, x, dropout_mask(x, x.shape(), p)) : x;
}
const Tensor& dropout_(const Tensor& x, double p, bool train) {
  return drops(x, p, train) ? elementwise_(Mul{}, x, dropout_mask(x, x.shape(), p)) : x;
}
Tensor feature_dropout(const Tensor& x, double p, bool train) {
  return drops(x, p, train) ? elementwise(Mul{}, x, dropout_mask(x, channel_shape(x), p)) : x;
}
const Tensor& feature_dropout_(const Tensor& x, double p, bool train) {
  return drops(x, p, train) ? elementwise_(Mul{}, x, dropout_mask(x, channel_shape(x), p)) : x;
}
Tensor alpha_dropout(const Tensor& x, double p, bool train) {
  return drops(x, p, train) ? drop_alpha(x, x.shape(), p) : x;
}
const Tensor& alpha_dropout_(const Tensor& x, double p, bool train) {
  return drops(x, p, train) ? drop_alpha_(x, x.shape(), p) : x;
}
Tensor feature_alpha_dropout(const Tensor& x, double p, bool train) {
  return drops(x, p, train) ? drop_alpha(x, channel_shape(x), p) : x;
}
const Tensor& feature_alpha_dropout_(const Tensor& x, double p, bool train) {
  return drops(x, p, train) ? drop_alpha_(x, channel_shape(x), p) : x;
}

}  // namespace tapegrad
