#include "ops/matmul.h"

#include <cstring>

#include "ops/copy.h"
#include "ops/gemm.h"
#include "ops/loops.h"
#include "ops/ops.h"

namespace tapegrad {

using autograd::Backward;
using autograd::record;
using autograd::save;

namespace {

/// Keeps one factor of a product for the derivative of the other, if that is wanted: a frozen layer keeps no
/// activations.
autograd::Save save_for(const Tensor& other, const Tensor& factor) {
  static const Tensor nothing;
  return save(autograd::any_differentiated(autograd::TensorRefs{other}) ? factor : nothing);
}

/// A matrix, or a batch of them, as gemm wants it: the last two dimensions and one step between matrices.
struct Matrices {
  int64_t rows, columns;
  int64_t row_stride, column_stride;
};

Matrices as_matrix(const Tensor& t) {
  const int rank = t.dim();
  return {t.shape()[rank - 2], t.shape()[rank - 1], t.strides()[rank - 2], t.strides()[rank - 1]};
}

template <class T>
void integer_gemm(const Gemm<T>& g, const GemmBatch& batch) {
  for (int64_t p = 0; p < batch.count; ++p)
    for (int64_t i = 0; i < g.m; ++i)
      for (int64_t j = 0; j < g.n; ++j) {
        T sum = 0;
        for (int64_t k = 0; k < g.k; ++k)
          sum = static_cast<T>(sum + g.a[p * batch.a_step + i * g.a_row + k * g.a_col] *
                                         g.b[p * batch.b_step + k * g.b_row + j * g.b_col]);
        T& c = g.c[p * batch.c_step + i * g.c_row + j];
        c = static_cast<T>((g.beta == T(0) ? T(0) : static_cast<T>(g.beta * c)) + g.alpha * sum +
                           (g.bias ? g.bias[j] : T(0)));
      }
}

/// c = alpha * a b + beta * c (+ bias): raw data of one type, matrices described by `a`, `b`; c row-major.
void run_gemm(DType dtype, const Matrices& a, const char* a_data, const Matrices& b, const char* b_data,
              char* c_data, const GemmBatch& batch, Scalar alpha = 1, Scalar beta = 0,
              const char* bias = nullptr) {
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, bool>) {
      fail(ErrorKind::not_implemented,
           "\"addmm_impl_cpu_\" not implemented for 'Bool' (convert to a number type first)");
    } else {
      const Gemm<T> gemm{.m = a.rows,
                         .n = b.columns,
                         .k = a.columns,
                         .a = reinterpret_cast<const T*>(a_data),
                         .a_row = a.row_stride,
                         .a_col = a.column_stride,
                         .b = reinterpret_cast<const T*>(b_data),
                         .b_row = b.row_stride,
                         .b_col = b.column_stride,
                         .c = reinterpret_cast<T*>(c_data),
                         .c_row = b.columns,
                         .alpha = alpha.to<T>(),
                         .beta = beta.to<T>(),
                         .bias = reinterpret_cast<const T*>(bias)};
      LongWorkScope scope(a.rows * b.columns * a.columns * batch.count / 64);
      if constexpr (std::is_floating_point_v<T>)
        ops::gemm(gemm, batch);
      else
        integer_gemm(gemm, batch);
    }
  });
}

void check_same_type(const Tensor& a, const Tensor& b) {
  TG_CHECK(a.dtype() == b.dtype(),
           "expected m1 and m2 to have the same dtype, but got: ", cpp_type_name(a.dtype()),
           " != ", cpp_type_name(b.dtype()), ". Convert one with .to(other.dtype).");
}

// What PyTorch says depends on the product.

void check_batch_types(const Tensor& a, const Tensor& b) {
  TG_CHECK(a.dtype() == b.dtype(), "expected scalar type ", scalar_type_name(a.dtype()), " but found ",
           scalar_type_name(b.dtype()), ". Convert one with .to(other.dtype).");
}

void check_addmm_types(const Tensor& input, const Tensor& a, const Tensor& b) {
  const auto check = [&](const char* name, const Tensor& x) {
    TG_CHECK(x.dtype() == b.dtype(), name, " and mat2 must have the same dtype, but got ",
             scalar_type_name(x.dtype()), " and ", scalar_type_name(b.dtype()),
             ". Convert one with .to(other.dtype).");
  };
  check("self", input);
  check("mat1", a);
}

void check_addmv_types(const Tensor& input, const Tensor& a, const Tensor& v) {
  TG_CHECK(input.dtype() == a.dtype() && a.dtype() == v.dtype(),
           "addmv input tensors must have the same dtype, but got ", scalar_type_name(input.dtype()), ", ",
           scalar_type_name(a.dtype()), ", and ", scalar_type_name(v.dtype()),
           ". Convert with .to(other.dtype).");
}

void check_inner(const Matrices& a, const Matrices& b) {
  TG_CHECK(a.columns == b.rows, "mat1 and mat2 shapes cannot be multiplied (", a.rows, "x", a.columns,
           " and ", b.rows, "x", b.columns, ")");
}

/// A matrix that is a factor of a product, or its transpose.
struct Factor {
  const Tensor& tensor;
  bool transposed = false;
};

Matrices as_matrix(const Factor& factor) {
  const Tensor& t = factor.tensor;
  const int row = t.dim() - 2 + factor.transposed, column = t.dim() - 1 - factor.transposed;
  return {t.shape()[row], t.shape()[column], t.strides()[row], t.strides()[column]};
}

Tensor mm_values(const Factor& a, const Factor& b) {
  check_same_type(a.tensor, b.tensor);
  const Matrices left = as_matrix(a), right = as_matrix(b);
  check_inner(left, right);
  const DType dtype = a.tensor.dtype();
  Tensor c = empty({{left.rows, right.columns}}, dtype);
  run_gemm(dtype, left, a.tensor.raw(), right, b.tensor.raw(), c.raw(), {});
  return c;
}

/// The product of two matrices inside a derivative: views of them are made only for a graph.
Tensor product(const Factor& a, const Factor& b) {
  const auto view = [](const Factor& f) { return f.transposed ? t(f.tensor) : f.tensor; };
  if (autograd::any_differentiated(autograd::TensorRefs{a.tensor, b.tensor})) return mm(view(a), view(b));
  return mm_values(a, b);
}

/// The leading dimensions of a tensor as steps of elements for a broadcast batch shape.
Dims batch_strides(const Tensor& t, const Dims& batch) {
  Dims strides(batch.size(), 0);
  const int own = t.dim() - 2, offset = batch.size() - own;
  for (int i = 0; i < own; ++i)
    if (t.shape()[i] != 1) strides[i + offset] = t.strides()[i];
  return strides;
}

/// Whether a batch of several dimensions can be walked with one step.
bool single_step(const Dims& batch, const Dims& strides, int64_t& step) {
  step = 0;
  int64_t expected = -1;
  for (int i = batch.size() - 1; i >= 0; --i) {
    if (batch[i] == 1) continue;
    if (expected < 0)
      step = strides[i];
    else if (strides[i] != expected)
      return false;
    expected = strides[i] * batch[i];
  }
  return true;
}

/// (..., m,k)(..., k,n) with broadcast leading dimensions.
Tensor batched_values(const Tensor& a, const Tensor& b) {
  const Matrices left = as_matrix(a), right = as_matrix(b);
  const Dims batch = broadcast_shapes(IntSpan(a.shape()).first(static_cast<size_t>(a.dim() - 2)),
                                      IntSpan(b.shape()).first(static_cast<size_t>(b.dim() - 2)));
  TG_CHECK(left.columns == right.rows, "Expected size for first two dimensions of batch2 tensor to be: [",
           count_elements(batch), ", ", left.columns, "] but got: [", count_elements(batch), ", ", right.rows,
           "].");
  Dims shape = batch;
  shape.push_back(left.rows);
  shape.push_back(right.columns);
  Tensor c = empty(shape, a.dtype());
  const int64_t count = count_elements(batch), c_step = left.rows * right.columns;
  const Dims a_strides = batch_strides(a, batch), b_strides = batch_strides(b, batch);
  GemmBatch steps{count, 0, 0, c_step};
  if (c.numel() == 0) return c;
  if (single_step(batch, a_strides, steps.a_step) && single_step(batch, b_strides, steps.b_step)) {
    run_gemm(a.dtype(), left, a.raw(), right, b.raw(), c.raw(), steps);
    return c;
  }
  for (int64_t p = 0; p < count; ++p) {
    int64_t rest = p, a_offset = 0, b_offset = 0;
    for (int i = batch.size() - 1; i >= 0; --i) {
      a_offset += rest % batch[i] * a_strides[i];
      b_offset += rest % batch[i] * b_strides[i];
      rest /= batch[i];
    }
    run_gemm(a.dtype(), left, a.raw() + a_offset * a.item_size(), right, b.raw() + b_offset * b.item_size(),
             c.raw() + p * c_step * c.item_size(), {});
  }
  return c;
}

/// (..., k) -> (rows, k), also where k is zero, which reshape(-1, k) does not know the number of rows for.
Tensor rows_of(const Tensor& x) {
  if (x.dim() == 1) return unsqueeze(x, 0);
  return x.dim() == 2 ? x : flatten(x, 0, -2);
}

/// (..., k)(k,n) with at least three dimensions on the left: one product of all rows.
Tensor folded_matmul(const Tensor& a, const Tensor& b) {
  Tensor c;
  {
    autograd::NoGrad off;
    c = mm_values({rows_of(a)}, {b});
  }
  Dims shape(IntSpan(a.shape()).first(static_cast<size_t>(a.dim() - 1)));
  shape.push_back(b.shape()[1]);
  set_geometry(c, shape, contiguous_strides(shape), c.raw());
  return record("UnsafeViewBackward0", c, {a, b}, {save_for(b, a), save_for(a, b)}, [](Backward& back) {
    back.give(0, [&] { return matmul(back.grad(), t(back.saved(1))); });
    back.give(1, [&] { return product({rows_of(back.saved(0)), true}, {rows_of(back.grad())}); });
  });
}

}  // namespace

Tensor mm(const Tensor& a, const Tensor& b) {
  TG_CHECK(a.dim() == 2, "self must be a matrix");
  TG_CHECK(b.dim() == 2, "mat2 must be a matrix");
  return record("MmBackward0", mm_values({a}, {b}), {a, b}, {save_for(b, a), save_for(a, b)},
                [](Backward& back) {
                  back.give(0, [&] { return product({back.grad()}, {back.saved(1), true}); });
                  back.give(1, [&] { return product({back.saved(0), true}, {back.grad()}); });
                });
}

Tensor bmm(const Tensor& a, const Tensor& b) {
  TG_CHECK(a.dim() == 3, "batch1 must be a 3D tensor");
  TG_CHECK(b.dim() == 3, "batch2 must be a 3D tensor");
  TG_CHECK(a.shape()[0] == b.shape()[0] && a.shape()[2] == b.shape()[1],
           "Expected size for first two dimensions of batch2 tensor to be: [", a.shape()[0], ", ",
           a.shape()[2], "] but got: [", b.shape()[0], ", ", b.shape()[1], "].");
  check_batch_types(a, b);
  return record("BmmBackward0", batched_values(a, b), {a, b}, {save_for(b, a), save_for(a, b)},
                [](Backward& back) {
                  back.give(0, [&] { return bmm(back.grad(), matrix_transpose(back.saved(1))); });
                  back.give(1, [&] { return bmm(matrix_transpose(back.saved(0)), back.grad()); });
                });
}

Tensor mv(const Tensor& a, const Tensor& v) {
  TG_CHECK(a.dim() == 2 && v.dim() == 1, "vector + matrix @ vector expected, got 1, ", a.dim(), ", ",
           v.dim());
  TG_CHECK(a.shape()[1] == v.shape()[0], "size mismatch, got input (", a.shape()[0], "), mat (", a.shape()[0],
           "x", a.shape()[1], "), vec (", v.shape()[0], ")");
  check_addmv_types(v, a, v);
  Tensor c = empty({{a.shape()[0]}}, a.dtype());
  run_gemm(a.dtype(), as_matrix(a), a.raw(), {v.shape()[0], 1, v.strides()[0], 1}, v.raw(), c.raw(), {});
  return record("MvBackward0", c, {a, v}, {save_for(v, a), save_for(a, v)}, [](Backward& back) {
    back.give(0, [&] { return outer(back.grad(), back.saved(1)); });
    back.give(1, [&] { return mv(t(back.saved(0)), back.grad()); });
  });
}

Tensor dot(const Tensor& a, const Tensor& b) {
  TG_CHECK(a.dim() == 1 && b.dim() == 1, "1D tensors expected, but got ", a.dim(), "D and ", b.dim(),
           "D tensors");
  TG_CHECK(a.numel() == b.numel(), "inconsistent tensor size, expected tensor [", a.numel(), "] and src [",
           b.numel(), "] to have the same number of elements, but got ", a.numel(), " and ", b.numel(),
           " elements respectively");
  TG_CHECK(a.dtype() == b.dtype(), "dot : expected both vectors to have same dtype, but found ",
           scalar_type_name(a.dtype()), " and ", scalar_type_name(b.dtype()),
           ". Convert one with .to(other.dtype).");
  Tensor c = empty({}, a.dtype());
  run_gemm(a.dtype(), {1, a.numel(), 1, a.strides()[0]}, a.raw(), {b.numel(), 1, b.strides()[0], 1}, b.raw(),
           c.raw(), {});
  return record("DotBackward0", c, {a, b}, {save_for(b, a), save_for(a, b)}, [](Backward& back) {
    back.give(0, [&] { return back.grad() * back.saved(1); });
    back.give(1, [&] { return back.grad() * back.saved(0); });
  });
}

Tensor outer(const Tensor& a, const Tensor& b) {
  TG_CHECK(a.dim() == 1, "outer: Expected 1-D argument self, but got ", a.dim(), "-D");
  TG_CHECK(b.dim() == 1, "outer: Expected 1-D argument vec2, but got ", b.dim(), "-D");
  return mul(unsqueeze(a, 1), b);
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  TG_CHECK(a.dim() > 0 && b.dim() > 0, "both arguments to matmul need to be at least 1D, but they are ",
           a.dim(), "D and ", b.dim(), "D");
  if (a.dim() == 2 && b.dim() == 2) return mm(a, b);
  if (a.dim() == 1 && b.dim() == 1) return dot(a, b);
  if (a.dim() == 2 && b.dim() == 1) return mv(a, b);
  if (a.dim() > 2 && b.dim() > 2)
    check_batch_types(a, b);
  else
    check_same_type(a, b);
  if (a.dim() == 1 && b.dim() == 2) {
    TG_CHECK(a.shape()[0] == b.shape()[0], "size mismatch, got input (", b.shape()[1], "), mat (",
             b.shape()[1], "x", b.shape()[0], "), vec (", a.shape()[0], ")");
    Tensor c = empty({{b.shape()[1]}}, a.dtype());
    run_gemm(a.dtype(), {1, a.shape()[0], 1, a.strides()[0]}, a.raw(), as_matrix(b), b.raw(), c.raw(), {});
    return record("SqueezeBackward4", c, {a, b}, {save_for(b, a), save_for(a, b)}, [](Backward& back) {
      back.give(0, [&] { return mv(back.saved(1), back.grad()); });
      back.give(1, [&] { return outer(back.saved(0), back.grad()); });
    });
  }
  if (a.dim() == 1) return squeeze(matmul(unsqueeze(a, 0), b), -2);
  if (b.dim() == 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  if (b.dim() == 2) return folded_matmul(a, b);
  return record("UnsafeViewBackward0", batched_values(a, b), {a, b}, {save_for(b, a), save_for(a, b)},
                [](Backward& back) {
                  // The engine sums over the dimensions that broadcasting stretched.
                  back.give(0, [&] { return matmul(back.grad(), matrix_transpose(back.saved(1))); });
                  back.give(1, [&] { return matmul(matrix_transpose(back.saved(0)), back.grad()); });
                });
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  TG_CHECK(x.dim() > 0, "both arguments to linear need to be at least 1D, but they are 0D and ", weight.dim(),
           "D");
  if (weight.dim() == 1) {
    const Tensor y = matmul(x, weight);
    return bias.defined() ? y + bias : y;
  }
  TG_CHECK(weight.dim() == 2, "linear: weight must be a matrix or a vector, got ", weight.dim(),
           " dimensions");
  if (bias.defined())
    check_addmm_types(bias, x, weight);
  else
    check_same_type(x, weight);
  const int64_t inputs = weight.shape()[1], outputs = weight.shape()[0];
  const int64_t rows = count_elements(IntSpan(x.shape()).first(static_cast<size_t>(x.dim() - 1)));
  TG_CHECK(x.shape().back() == inputs, "mat1 and mat2 shapes cannot be multiplied (", rows, "x",
           x.shape().back(), " and ", inputs, "x", outputs, ")");
  if (bias.defined()) {
    TG_CHECK(bias.dim() <= 1 && (bias.numel() == outputs || bias.numel() == 1),
             "The expanded size of the tensor (", outputs, ") must match the existing size (", bias.numel(),
             ") at non-singleton dimension 1.  Target sizes: [", rows, ", ", outputs,
             "].  Tensor sizes: ", to_string(bias.shape()));
  }
  const bool fused = bias.defined() && bias.numel() == outputs && bias.is_contiguous();
  const Tensor matrix = x.dim() == 2 || x.is_contiguous() ? x : contiguous_values(x);
  const Matrices left = matrix.dim() == 2 ? as_matrix(matrix) : Matrices{rows, inputs, inputs, 1};
  Dims shape(x.shape());
  shape[shape.size() - 1] = outputs;
  Tensor y = empty(shape, x.dtype());
  run_gemm(x.dtype(), left, matrix.raw(), {inputs, outputs, weight.strides()[1], weight.strides()[0]},
           weight.raw(), y.raw(), {}, 1, 0, fused ? bias.raw() : nullptr);
  if (bias.defined() && !fused) {
    autograd::NoGrad off;
    y = y + bias;
  }
  const char* name = x.dim() == 2     ? (bias.defined() ? "AddmmBackward0" : "MmBackward0")
                     : bias.defined() ? "ViewBackward0"
                     : x.dim() == 1   ? "SqueezeBackward4"
                                      : "UnsafeViewBackward0";
  return record(name, y, {x, weight, bias}, {save_for(weight, x), save_for(x, weight)}, [](Backward& back) {
    const Tensor& g = back.grad();
    back.give(0, [&] { return g.dim() == 2 ? product({g}, {back.saved(1)}) : matmul(g, back.saved(1)); });
    back.give(1, [&] { return product({rows_of(g), true}, {rows_of(back.saved(0))}); });
    back.give(2, [&] { return g.dim() > 2 ? sum(rows_of(g), Dims{0}) : g; });
  });
}

namespace {

/// beta * input (broadcast to `shape`), into which a product is then added.
Tensor scaled_input(const Tensor& input, IntSpan shape, Scalar beta) {
  autograd::NoGrad off;
  const Tensor expanded = expand(input, shape);
  if (beta.to_double() == 0) return empty(shape, input.dtype());
  return contiguous_values(expanded);
}

}  // namespace

Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  TG_CHECK(a.dim() == 2, "mat1 must be a matrix, got ", a.dim(), "-D tensor");
  TG_CHECK(b.dim() == 2, "mat2 must be a matrix, got ", b.dim(), "-D tensor");
  check_addmm_types(input, a, b);
  const Matrices left = as_matrix(a), right = as_matrix(b);
  check_inner(left, right);
  Tensor c = scaled_input(input, {{left.rows, right.columns}}, beta);
  run_gemm(a.dtype(), left, a.raw(), right, b.raw(), c.raw(), {}, alpha, beta);
  return record("AddmmBackward0", c, {input, a, b}, {save_for(b, a), save_for(a, b)},
                [beta, alpha](Backward& back) {
                  back.give(0, [&] { return back.grad() * beta; });
                  back.give(1, [&] { return product({back.grad()}, {back.saved(1), true}) * alpha; });
                  back.give(2, [&] { return product({back.saved(0), true}, {back.grad()}) * alpha; });
                });
}

namespace {

/// beta * input + alpha * product, recorded as one operation; `give_factors` gives the gradients of a and b,
/// which come from alpha times that of the result.
template <class GiveFactors>
Tensor plus_product(const char* name, const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta,
                    Scalar alpha, Tensor (*product)(const Tensor&, const Tensor&), GiveFactors give_factors) {
  if (!is_floating(promote(input.dtype(), a.dtype()))) {
    beta = Scalar(beta.to_int());
    alpha = Scalar(alpha.to_int());
  }
  Tensor out;
  {
    const autograd::NoGrad no_grad;
    const Tensor ab = product(a, b), expanded = expand(input, ab.shape());
    // With beta = 0 even NaN in the input must not matter.
    out = beta.to_double() == 0 ? mul(ab, alpha) : add(mul(expanded, beta), mul(ab, alpha));
  }
  return record(name, std::move(out), {input, a, b}, {save_for(b, a), save_for(a, b)},
                [beta, alpha, give_factors](Backward& back) {
                  back.give(0, [&] { return back.grad() * beta; });
                  if (back.needs(1) || back.needs(2)) give_factors(back, back.grad() * alpha);
                });
}

Tensor sum_of_products(const Tensor& a, const Tensor& b) { return sum(bmm(a, b), Dims{0}); }

}  // namespace

Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  check_same_type(input, a);
  return plus_product("BaddbmmBackward0", input, a, b, beta, alpha, bmm, [](Backward& back, const Tensor& g) {
    back.give(1, [&] { return bmm(g, matrix_transpose(back.saved(1))); });
    back.give(2, [&] { return bmm(matrix_transpose(back.saved(0)), g); });
  });
}
Tensor addbmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  check_same_type(input, a);
  return plus_product("AddbmmBackward0", input, a, b, beta, alpha, sum_of_products,
                      [](Backward& back, const Tensor& g) {
                        back.give(1, [&] { return matmul(g, matrix_transpose(back.saved(1))); });
                        back.give(2, [&] { return matmul(matrix_transpose(back.saved(0)), g); });
                      });
}
Tensor addmv(const Tensor& input, const Tensor& a, const Tensor& v, Scalar beta, Scalar alpha) {
  check_addmv_types(input, a, v);
  return plus_product("AddmvBackward0", input, a, v, beta, alpha, mv, [](Backward& back, const Tensor& g) {
    back.give(1, [&] { return outer(g, back.saved(1)); });
    back.give(2, [&] { return mv(t(back.saved(0)), g); });
  });
}
Tensor addr(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  return plus_product("AddrBackward0", input, a, b, beta, alpha, outer, [](Backward& back, const Tensor& g) {
    back.give(1, [&] { return mv(g, back.saved(1)); });
    back.give(2, [&] { return mv(t(g), back.saved(0)); });
  });
}

Tensor trace(const Tensor& a) {
  TG_CHECK(a.dim() == 2, "trace: expected a matrix, but got tensor with dim ", a.dim());
  return sum(diagonal(a));
}

Tensor cross(const Tensor& a, const Tensor& b, int64_t dim) {
  const Dims shape = broadcast_shapes(a.shape(), b.shape());
  const int d = wrap_dim(dim, shape.size());
  const Tensor x = expand(a, shape), y = expand(b, shape);
  TG_CHECK(shape[d] == 3, "linalg.cross: inputs dimension ", dim, " must have length 3. Got ", a.size(dim),
           " and ", b.size(dim));
  auto part = [&](const Tensor& v, int64_t i) { return select(v, d, i); };
  return stack(
      {part(x, 1) * part(y, 2) - part(x, 2) * part(y, 1), part(x, 2) * part(y, 0) - part(x, 0) * part(y, 2),
       part(x, 0) * part(y, 1) - part(x, 1) * part(y, 0)},
      d);
}

Tensor kron(const Tensor& a, const Tensor& b) {
  // Each dimension of size m and n becomes a pair (m, n) that is merged.
  const int rank = std::max(a.dim(), b.dim());
  Dims a_shape(2 * rank, 1), b_shape(2 * rank, 1), merged(rank, 1);
  for (int i = 0; i < a.dim(); ++i) a_shape[2 * (rank - a.dim() + i)] = a.shape()[i];
  for (int i = 0; i < b.dim(); ++i) b_shape[2 * (rank - b.dim() + i) + 1] = b.shape()[i];
  for (int i = 0; i < rank; ++i) merged[i] = count_elements({{a_shape[2 * i], b_shape[2 * i + 1]}});
  return reshape(mul(reshape(a, a_shape), reshape(b, b_shape)), merged);
}

Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias) {
  TG_CHECK(weight.dim() == 3, "bilinear(): weight must be 3-D, got ", weight.dim(), "-D");
  TG_CHECK(x1.dim() > 0 && x1.dim() == x2.dim(), "bilinear(): input dimensions do not match: got ", x1.dim(),
           " and ", x2.dim());
  const Tensor y = einsum("...i,oij,...j->...o", {x1, weight, x2});
  return bias.defined() ? y + bias : y;
}

}  // namespace tapegrad
