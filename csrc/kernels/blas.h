#pragma once

#include <cstdint>
#include <string>

/// BLAS and LAPACK: OpenBLAS loaded from the package's own lib directory, or Accelerate on macOS.
///
/// OpenBLAS runs on the calling thread only; large products are split by the operations layer.
namespace tapegrad::blas {

/// The full path at which the library is expected: `lib/libscipy_openblas.so` beside the extension module.
std::string bundled_library();

/// Loads the library, once, before any other call; throws std::runtime_error that names the file and the
/// cure.
void initialize(const std::string& library = bundled_library());

/// One line that names the library, its version and the processor it chose kernels for.
std::string description();

/// Row-major C (m,n) = alpha * op(A) (m,k) * op(B) (k,n) + beta * C; C is not read when beta is 0.
template <class T>
void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

/// Row-major y = alpha * op(A) x + beta * y for A (m,n); y is not read when beta is 0.
template <class T>
void gemv(bool trans_a, int64_t m, int64_t n, T alpha, const T* a, int64_t lda, const T* x, int64_t incx,
          T beta, T* y, int64_t incy);

/// The address of a Fortran BLAS or LAPACK routine such as "dgetrf_"; throws std::runtime_error if there is
/// none.
void* routine(const char* fortran_name);

/// The same as a typed pointer: `static auto* getrf = blas::function<void(int*, ...)>("dgetrf_");`.
template <class Signature>
Signature* function(const char* fortran_name) {
  return reinterpret_cast<Signature*>(routine(fortran_name));
}

}  // namespace tapegrad::blas
