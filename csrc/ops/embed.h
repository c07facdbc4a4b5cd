// The adjoint of a view that reads part of a tensor.
#pragma once
#include "autograd/record.h"
#include "ops/copy.h"

namespace tapegrad {

/// Zeros of `shape` with `piece` written into the part that the view `window` shows. Its own derivative is
/// the view.
template <class Window>
Tensor embed(const char* name, const Tensor& piece, IntSpan shape, Window window) {
  Tensor out = full_values(shape, 0, piece.dtype());
  {
    autograd::NoGrad no_grad;
    copy_values(window(out), piece);
  }
  return autograd::record(name, std::move(out), {piece}, {},
                          [window](autograd::Backward& b) { return window(b.grad()); });
}

}  // namespace tapegrad
