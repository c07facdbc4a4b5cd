#include "kernels/registration.h"
#include "kernels/vec_math.h"

namespace tapegrad::TAPEGRAD_ISA_NS {

namespace {

/// Calls body(i, count) for vectors of count <= W elements from i on.
template <int W, class Body>
TAPEGRAD_INLINE void for_vectors(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + W <= n; i += W) body(i, W);
  if (i < n) body(i, static_cast<int>(n - i));
}

template <class T>
void sgd(const SgdStep& step, void* param_data, const void* grad_data, void* buffer_data, int64_t n) {
  using V = Vec<T>;
  auto* param = static_cast<T*>(param_data);
  auto* buffer = static_cast<T*>(buffer_data);
  const auto* grad = static_cast<const T*>(grad_data);
  const T sign = step.maximize ? T(-1) : T(1);
  const V momentum(step.momentum), decay(step.weight_decay), fresh(1 - step.dampening), rate(-step.lr);
  for_vectors<V::size>(n, [&](int64_t i, int count) {
    const V p = V::load_partial(param + i, count);
    V g = V::load_partial(grad + i, count) * sign;
    if (step.weight_decay != 0) g = fma(p, decay, g);
    if (buffer) {
      const V b = step.first ? g : fma(g, fresh, V::load_partial(buffer + i, count) * momentum);
      b.store_partial(buffer + i, count);
      g = step.nesterov ? fma(b, momentum, g) : b;
    }
    fma(g, rate, p).store_partial(param + i, count);
  });
}

template <class T>
void adam(const AdamStep& step, void* param_data, const void* grad_data, void* mean_data,
          void* mean_square_data, void* largest_data, int64_t n) {
  using V = Vec<T>;
  auto* param = static_cast<T*>(param_data);
  auto* mean = static_cast<T*>(mean_data);
  auto* mean_square = static_cast<T*>(mean_square_data);
  auto* largest = static_cast<T*>(largest_data);
  const auto* grad = static_cast<const T*>(grad_data);
  const T sign = step.maximize ? T(-1) : T(1);
  const V keep2(step.beta2), fresh1(1 - step.beta1), fresh2(1 - step.beta2);
  const V decay(step.weight_decay), shrink(1 - step.lr * step.weight_decay);
  const V root(step.root), eps(step.eps), size(-step.step_size);
  for_vectors<V::size>(n, [&](int64_t i, int count) {
    V p = V::load_partial(param + i, count);
    V g = V::load_partial(grad + i, count) * sign;
    if (step.weight_decay != 0) {
      if (step.decoupled)
        p = p * shrink;
      else
        g = fma(p, decay, g);
    }
    const V old = V::load_partial(mean + i, count);
    const V m = fma(fresh1, g - old, old);
    V v = V::load_partial(mean_square + i, count) * keep2 + fresh2 * g * g;
    m.store_partial(mean + i, count);
    v.store_partial(mean_square + i, count);
    if (largest) {
      v = maximum(V::load_partial(largest + i, count), v);
      v.store_partial(largest + i, count);
    }
    (p + size * m / (sqrt(v) / root + eps)).store_partial(param + i, count);
  });
}

}  // namespace

void register_optim(OptimKernels& table) {
  table.sgd[0] = sgd<float>;
  table.sgd[1] = sgd<double>;
  table.adam[0] = adam<float>;
  table.adam[1] = adam<double>;
}

}  // namespace tapegrad::TAPEGRAD_ISA_NS
