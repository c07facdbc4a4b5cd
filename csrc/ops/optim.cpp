#include "ops/optim.h"

#include <array>
#include <cmath>

#include "core/parallel.h"
#include "kernels/kernels.h"
#include "ops/copy.h"
#include "ops/loops.h"

namespace tapegrad {

namespace {

/// The tensors of one step as contiguous memory; what is not contiguous is copied and written back.
template <int N>
class Blocks {
 public:
  /// A parameter, its gradient, which is only read, and others, which may be undefined. They have to outlive
  /// this.
  template <class... Tensors>
  explicit Blocks(const Tensors&... tensors) : tensors_{&tensors...} {
    const Tensor& param = *tensors_[0];
    TG_CHECK(param.is_floating(), "an optimizer expects floating point parameters, but got ",
             dtype_name(param.dtype()));
    for (int i = 0; i < N; ++i) {
      const Tensor& tensor = *tensors_[i];
      if (!tensor.defined()) continue;
      TG_CHECK(tensor.shape() == param.shape() && tensor.dtype() == param.dtype(),
               "an optimizer expects gradients and state of the shape and dtype of their parameter, ",
               to_string(param.shape()), " ", dtype_name(param.dtype()), ", but got ",
               to_string(tensor.shape()), " ", dtype_name(tensor.dtype()));
      if (!tensor.is_contiguous()) copies_[i] = contiguous_values(tensor);
      data_[i] = copies_[i].defined() ? copies_[i].raw() : tensor.raw();
    }
  }
  char* at(int i, int64_t element) const {
    return data_[i] ? data_[i] + element * tensors_[0]->item_size() : nullptr;
  }
  void write_back() const {
    for (int i = 0; i < N; ++i) {
      if (i == 1 || !tensors_[i]->defined()) continue;
      if (copies_[i].defined()) copy_values(*tensors_[i], copies_[i]);
      tensors_[i]->bump_version();
    }
  }

 private:
  std::array<const Tensor*, N> tensors_;
  std::array<Tensor, N> copies_;
  std::array<char*, N> data_ = {};
};

}  // namespace

void sgd_step(const Tensor& param, const Tensor& grad, Tensor& buffer, SgdStep& step) {
  step.first = step.momentum != 0 && !buffer.defined();
  if (step.first) buffer = empty(param.shape(), param.dtype());
  const Tensor nothing;
  const Blocks<3> blocks(param, grad, step.momentum != 0 ? buffer : nothing);
  const auto kernel = kernels->optim.sgd[param.dtype() == DType::float64];
  LongWorkScope scope(param.numel());
  parallel_for(0, param.numel(), kElementwiseGrain, [&](int64_t lo, int64_t hi) {
    kernel(step, blocks.at(0, lo), blocks.at(1, lo), blocks.at(2, lo), hi - lo);
  });
  blocks.write_back();
}

void adam_step(const Tensor& param, const Tensor& grad, const Tensor& mean, const Tensor& mean_square,
               const Tensor& largest, double count, AdamStep step) {
  step.step_size = step.lr / (1 - std::pow(step.beta1, count));
  step.root = std::sqrt(1 - std::pow(step.beta2, count));
  const Blocks<5> blocks(param, grad, mean, mean_square, largest);
  const auto kernel = kernels->optim.adam[param.dtype() == DType::float64];
  LongWorkScope scope(param.numel());
  parallel_for(0, param.numel(), kElementwiseGrain, [&](int64_t lo, int64_t hi) {
    kernel(step, blocks.at(0, lo), blocks.at(1, lo), blocks.at(2, lo), blocks.at(3, lo), blocks.at(4, lo),
           hi - lo);
  });
  blocks.write_back();
}

}  // namespace tapegrad
