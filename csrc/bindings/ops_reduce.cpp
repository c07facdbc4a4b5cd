// Reductions, scans, softmax.
#include "bindings/arg_parser.h"
#include "ops/ops.h"

namespace tapegrad::python {

namespace {

/// The three overloads that var, std, var_mean and std_mean share.
template <auto Function>
void define_spread(const std::string& name, const std::string& results) {
  const auto define = [&](const char* parameters, auto function) {
    def_op((name + parameters + results).c_str(), function);
  };
  define("(Tensor input, int[1]? dim, bool unbiased=True, bool keepdim=False, *, Tensor? out=None)",
         [](const Tensor& x, std::optional<Dims> dims, bool unbiased, bool keepdim) {
           return Function(x, dims, unbiased ? 1 : 0, keepdim);
         });
  define("(Tensor input, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False, Tensor? out=None)",
         [](const Tensor& x, std::optional<Dims> dims, std::optional<Scalar> correction, bool keepdim) {
           return Function(x, dims, correction ? correction->to_double() : 1, keepdim);
         });
  define("(Tensor input, bool unbiased=True)",
         [](const Tensor& x, bool unbiased) { return Function(x, std::nullopt, unbiased ? 1 : 0, false); });
}

/// The order that torch.norm was asked for; "fro" and None are the Euclidean norm.
double norm_order(PyObject* p) {
  if (p == Py_None) return 2;
  if (!PyUnicode_Check(p)) return get_real(p);
  TG_CHECK(PyUnicode_CompareWithASCIIString(p, "fro") == 0,
           "norm(): p must be a number, 'fro' or None; for other norms of matrices "
           "use linalg.matrix_norm");
  return 2;
}

Tensor larger(const Tensor& a, const Tensor& b) { return elementwise(Maximum{}, a, b); }
Tensor smaller(const Tensor& a, const Tensor& b) { return elementwise(Minimum{}, a, b); }

using AlongDim = std::tuple<Tensor, Tensor> (*)(const Tensor&, int64_t, bool);
using OfAll = Tensor (*)(const Tensor&);

}  // namespace

void define_reduce_ops() {
  def_op("sum(Tensor input, *, dtype? dtype=None)",
         [](const Tensor& x, std::optional<DType> dtype) { return sum(x, std::nullopt, false, dtype); });
  def_op("sum(Tensor input, int[1]? dim, bool keepdim=False, *, dtype? dtype=None, Tensor? out=None)", sum);
  def_op("mean(Tensor input, *, dtype? dtype=None)",
         [](const Tensor& x, std::optional<DType> dtype) { return mean(x, std::nullopt, false, dtype); });
  def_op("mean(Tensor input, int[1]? dim, bool keepdim=False, *, dtype? dtype=None, Tensor? out=None)", mean);
  def_op("nansum(Tensor input, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None, Tensor? out=None)",
         nansum);
  def_op(
      "nanmean(Tensor input, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None, Tensor? out=None)",
      nanmean);
  def_op("prod(Tensor input, *, dtype? dtype=None)",
         [](const Tensor& x, std::optional<DType> dtype) { return prod(x, dtype); });
  def_op("prod(Tensor input, int dim, bool keepdim=False, *, dtype? dtype=None, Tensor? out=None)",
         [](const Tensor& x, int64_t dim, bool keepdim, std::optional<DType> dtype) {
           return prod(x, dim, keepdim, dtype);
         });
  def_op(
      "sum_to_size(Tensor input, int[*] size)",
      [](const Tensor& x, IntSpan size) {
        const size_t rank = static_cast<size_t>(x.dim());
        bool expandable = size.size() <= rank;
        for (size_t i = 0; expandable && i < size.size(); ++i)
          expandable = size[i] == 1 || size[i] == IntSpan(x.shape()).last(size.size())[i];
        TG_CHECK(expandable, "size {", to_string(size), "} is not expandable to size {", to_string(x.shape()),
                 "}.");
        return sum_to_shape(x, size);
      },
      As::method);

  define_spread<var>("var", "");
  define_spread<std_deviation>("std", "");
  define_spread<var_mean>("var_mean", "");
  define_spread<std_mean>("std_mean", "");
  def_op(
      "norm(Tensor input, any p=2, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None, Tensor? "
      "out=None)",
      [](const Tensor& x, PyObject* p, std::optional<Dims> dims, bool keepdim, std::optional<DType> dtype) {
        return vector_norm(x, norm_order(p), dims, keepdim, dtype);
      });
  def_op(
      "_linalg_vector_norm(Tensor input, float ord=2.0, int[1]? dim=None, bool keepdim=False, *, dtype? "
      "dtype=None, Tensor? out=None)",
      vector_norm, As::function);
  def_op("logsumexp(Tensor input, int[1] dim, bool keepdim=False, *, Tensor? out=None)", logsumexp);

  def_op("max(Tensor input)", OfAll(max));
  def_op("max(Tensor input, Tensor other, *, Tensor? out=None)", larger);
  def_op("max(Tensor input, int dim, bool keepdim=False, *, any out=None) -> (values, indices)",
         AlongDim(max));
  def_op("min(Tensor input)", OfAll(min));
  def_op("min(Tensor input, Tensor other, *, Tensor? out=None)", smaller);
  def_op("min(Tensor input, int dim, bool keepdim=False, *, any out=None) -> (values, indices)",
         AlongDim(min));
  def_op("amax(Tensor input, int[1]? dim=None, bool keepdim=False, *, Tensor? out=None)", amax);
  def_op("amin(Tensor input, int[1]? dim=None, bool keepdim=False, *, Tensor? out=None)", amin);
  def_op("aminmax(Tensor input, *, int? dim=None, bool keepdim=False, any out=None) -> (min, max)", aminmax);
  def_op("argmax(Tensor input, int? dim=None, bool keepdim=False, *, Tensor? out=None)", argmax);
  def_op("argmin(Tensor input, int? dim=None, bool keepdim=False, *, Tensor? out=None)", argmin);

  def_op("median(Tensor input)", OfAll(median));
  def_op("median(Tensor input, int dim, bool keepdim=False, *, any out=None) -> (values, indices)",
         AlongDim(median));
  def_op("nanmedian(Tensor input)", OfAll(nanmedian));
  def_op("nanmedian(Tensor input, int dim, bool keepdim=False, *, any out=None) -> (values, indices)",
         AlongDim(nanmedian));
  def_op("mode(Tensor input, int dim=-1, bool keepdim=False, *, any out=None) -> (values, indices)", mode);

  def_op("any(Tensor input, *, Tensor? out=None)",
         [](const Tensor& x) { return any(x, std::nullopt, false); });
  def_op("any(Tensor input, int[1]? dim=None, bool keepdim=False, *, Tensor? out=None)", any);
  def_op("all(Tensor input, *, Tensor? out=None)",
         [](const Tensor& x) { return all(x, std::nullopt, false); });
  def_op("all(Tensor input, int[1]? dim=None, bool keepdim=False, *, Tensor? out=None)", all);
  def_op("count_nonzero(Tensor input, int[1]? dim=None)", count_nonzero);

  def_op("cumsum(Tensor input, int dim, *, dtype? dtype=None, Tensor? out=None)", cumsum);
  def_op("cumprod(Tensor input, int dim, *, dtype? dtype=None, Tensor? out=None)", cumprod);
  def_op(
      "cumsum_(Tensor input, int dim, *, dtype? dtype=None)",
      [](const Tensor& x, int64_t dim, std::optional<DType> dtype) {
        return copy_(x, cumsum(x, dim, dtype));
      },
      As::method);
  def_op(
      "cumprod_(Tensor input, int dim, *, dtype? dtype=None)",
      [](const Tensor& x, int64_t dim, std::optional<DType> dtype) {
        return copy_(x, cumprod(value_before_write(x), dim, dtype));
      },
      As::method);
  def_op("cummax(Tensor input, int dim, *, any out=None) -> (values, indices)", cummax);
  def_op("cummin(Tensor input, int dim, *, any out=None) -> (values, indices)", cummin);
  def_op("logcumsumexp(Tensor input, int dim, *, Tensor? out=None)", logcumsumexp);
  def_op("diff(Tensor input, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None)",
         [](const Tensor& x, int64_t n, int64_t dim, const Tensor& prepend, const Tensor& append) {
           if (!prepend.defined() && !append.defined()) return diff(x, n, dim);
           std::vector<Tensor> parts;
           for (const Tensor* part : {&prepend, &x, &append})
             if (part->defined()) parts.push_back(*part);
           return diff(cat(parts, dim), n, dim);
         });

  def_op("softmax(Tensor input, int dim, dtype? dtype=None, *, Tensor? out=None)", softmax);
  def_op("log_softmax(Tensor input, int dim, dtype? dtype=None, *, Tensor? out=None)", log_softmax);
}

}  // namespace tapegrad::python
