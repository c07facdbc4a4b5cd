// Products of vectors, matrices and batches of matrices.
#pragma once
#include <vector>

#include "autograd/record.h"
#include "core/scalar.h"

namespace tapegrad {

/// NumPy's matmul: (m,k)(k,n) -> (m,n); leading dimensions broadcast; a vector is a row on the left, a column
/// on the right.
Tensor matmul(const Tensor& a, const Tensor& b);
/// (m,k)(k,n) -> (m,n), without broadcasting.
Tensor mm(const Tensor& a, const Tensor& b);
/// (b,m,k)(b,k,n) -> (b,m,n).
Tensor bmm(const Tensor& a, const Tensor& b);
/// (m,k)(k) -> (m).
Tensor mv(const Tensor& a, const Tensor& v);
/// (n)(n) -> ().
Tensor dot(const Tensor& a, const Tensor& b);
/// (m)(n) -> (m,n).
Tensor outer(const Tensor& a, const Tensor& b);
/// x W^T + bias for x (..., k), W (n,k) or (k), bias (n) or undefined -> (..., n).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);
/// beta * input + alpha * a b; input broadcasts to the result.
Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha);
Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha);
Tensor addbmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha);
Tensor addmv(const Tensor& input, const Tensor& a, const Tensor& v, Scalar beta, Scalar alpha);
Tensor addr(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha);
/// Sum of products over repeated subscripts: "ij,jk->ik"; "..." stands for dimensions that broadcast.
Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);
/// Contracts dims_a of a with dims_b of b.
Tensor tensordot(const Tensor& a, const Tensor& b, IntSpan dims_a, IntSpan dims_b);
/// Contracts the last dimensions.
Tensor inner(const Tensor& a, const Tensor& b);
/// Kronecker product.
Tensor kron(const Tensor& a, const Tensor& b);
/// Sum of the diagonal of a matrix.
Tensor trace(const Tensor& a);
/// Cross product of vectors of three along `dim`.
Tensor cross(const Tensor& a, const Tensor& b, int64_t dim);
/// x1^T W x2 + bias for each output feature.
Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias);

}  // namespace tapegrad
