#include "kernels/blas.h"

#include <dlfcn.h>

#include <climits>
#include <cstdlib>
#include <optional>
#include <stdexcept>

namespace tapegrad::blas {
namespace {

enum Order { kRowMajor = 101 };
enum Transpose { kNoTrans = 111, kTrans = 112 };

template <class T>
using Gemm = void(int order, int trans_a, int trans_b, int m, int n, int k, T alpha, const T* a, int lda,
                  const T* b, int ldb, T beta, T* c, int ldc);
template <class T>
using Gemv = void(int order, int trans, int m, int n, T alpha, const T* a, int lda, const T* x, int incx,
                  T beta, T* y, int incy);

template <class T>
struct Routines {
  Gemm<T>* gemm = nullptr;
  Gemv<T>* gemv = nullptr;
};

#ifdef __APPLE__
// Accelerate is linked, so its symbols are found among those already loaded.
constexpr const char* kPrefix = "";
void* library_handle = RTLD_DEFAULT;
#else
constexpr const char* kPrefix = "scipy_";
void* library_handle = nullptr;
#endif

template <class T>
Routines<T> routines;

void* find_symbol(const std::string& name) {
  void* address = dlsym(library_handle, (kPrefix + name).c_str());
  if (!address) {
    throw std::runtime_error("BLAS: the library has no routine " + name +
                             "; it is damaged or of another version: reinstall tapegrad");
  }
  return address;
}

template <class T>
void find_routines(const char* gemm, const char* gemv) {
  routines<T> = {reinterpret_cast<Gemm<T>*>(find_symbol(gemm)),
                 reinterpret_cast<Gemv<T>*>(find_symbol(gemv))};
}

#ifndef __APPLE__
// Sets an environment variable for the time of its life.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    setenv(name, value, 1);
  }
  ~ScopedVariable() { old_ ? setenv(name_, old_->c_str(), 1) : unsetenv(name_); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};
#endif

int narrow(int64_t size) {
  if (size > INT_MAX) throw std::runtime_error("BLAS: a dimension exceeds 2147483647; split the matrix");
  return static_cast<int>(size);
}

// BLAS demands a leading dimension of at least 1 even for empty matrices.
int leading(int64_t size) { return narrow(size < 1 ? 1 : size); }

int flag(bool transposed) { return transposed ? kTrans : kNoTrans; }

}  // namespace

std::string bundled_library() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void*>(&bundled_library), &info)) return {};
  const std::string module = info.dli_fname;
  const auto slash = module.rfind('/');
  return (slash == std::string::npos ? "." : module.substr(0, slash)) + "/lib/libscipy_openblas.so";
}

void initialize([[maybe_unused]] const std::string& library) {
  if (routines<float>.gemm) return;
#ifndef __APPLE__
  {
    // Otherwise OpenBLAS starts a thread per processor as it is loaded, for which we have no use.
    const ScopedVariable one_thread("OPENBLAS_NUM_THREADS", "1");
    library_handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  if (!library_handle) {
    const char* reason = dlerror();
    throw std::runtime_error("tapegrad cannot load its BLAS library, expected at " + library + " (" +
                             (reason ? reason : "unknown reason") +
                             "). Reinstall with `pip install --force-reinstall tapegrad`; in a source tree, "
                             "rerun `cmake --preset default`.");
  }
  reinterpret_cast<void (*)(int)>(find_symbol("openblas_set_num_threads"))(1);
#endif
  find_routines<double>("cblas_dgemm", "cblas_dgemv");
  find_routines<float>("cblas_sgemm", "cblas_sgemv");
}

std::string description() {
#ifdef __APPLE__
  return "Accelerate";
#else
  return reinterpret_cast<const char* (*)()>(find_symbol("openblas_get_config"))();
#endif
}

template <class T>
void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  routines<T>.gemm(kRowMajor, flag(trans_a), flag(trans_b), narrow(m), narrow(n), narrow(k), alpha, a,
                   leading(lda), b, leading(ldb), beta, c, leading(ldc));
}

template <class T>
void gemv(bool trans_a, int64_t m, int64_t n, T alpha, const T* a, int64_t lda, const T* x, int64_t incx,
          T beta, T* y, int64_t incy) {
  routines<T>.gemv(kRowMajor, flag(trans_a), narrow(m), narrow(n), alpha, a, leading(lda), x, narrow(incx),
                   beta, y, narrow(incy));
}

void* routine(const char* fortran_name) { return find_symbol(fortran_name); }

template void gemm(bool, bool, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t,
                   float, float*, int64_t);
template void gemm(bool, bool, int64_t, int64_t, int64_t, double, const double*, int64_t, const double*,
                   int64_t, double, double*, int64_t);
template void gemv(bool, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t, float, float*,
                   int64_t);
template void gemv(bool, int64_t, int64_t, double, const double*, int64_t, const double*, int64_t, double,
                   double*, int64_t);

}  // namespace tapegrad::blas
