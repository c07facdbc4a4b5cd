#include "ops/elementwise.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <map>

#include "ops/copy.h"
#include "ops/loops.h"

namespace tapegrad {

DType result_type(std::span<const Operand> operands) {
  // The best type of each rank: dimensioned tensors, 0-dim tensors, Python numbers.
  DType best[3] = {DType::bool_, DType::bool_, DType::bool_};
  bool present[3] = {};
  for (const Operand& operand : operands) {
    const int rank = !operand.is_tensor() ? 2 : operand.tensor().dim() == 0 ? 1 : 0;
    const DType dtype = operand.is_tensor() ? operand.tensor().dtype() : operand.scalar().dtype();
    best[rank] = present[rank] ? promote(best[rank], dtype) : dtype;
    present[rank] = true;
  }
  DType result = best[0];
  bool any = present[0];
  for (int rank = 1; rank < 3; ++rank) {
    if (!present[rank]) continue;
    if (!any || category(best[rank]) > category(result)) result = best[rank];
    any = true;
  }
  return result;
}

Tensor wrap_scalar(Scalar scalar, const Tensor& like) {
  const Operand operands[] = {Operand(like), Operand(scalar)};
  Tensor tensor = empty({}, result_type(operands));
  scalar.store(tensor.dtype(), tensor.raw());
  return tensor;
}

std::string backward_name(const char* op_name) {
  std::string name;
  bool after_letter = false;
  for (const char* c = op_name; *c; ++c) {
    const bool letter = std::isalpha(static_cast<unsigned char>(*c));
    if (*c != '_')
      name += after_letter ? *c : static_cast<char>(std::toupper(static_cast<unsigned char>(*c)));
    after_letter = letter;
  }
  return name + "Backward0";
}

namespace {

bool is_bool(const Operand& operand) {
  return operand.is_tensor() ? operand.tensor().dtype() == DType::bool_ : operand.scalar().is_boolean();
}

// Operands of one type are refused by the domain; this is for bool next to another type.
void refuse_bool_difference(const ElementwiseInfo& info, std::span<const Operand> operands) {
  const std::string_view name = info.name;
  if (name != "sub" && name != "rsub") return;
  for (const Operand& operand : operands)
    TG_CHECK(!is_bool(operand),
             "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
             "invert a mask, use the `~` or `logical_not()` operator instead.");
}

DType compute_type(const ElementwiseInfo& info, std::span<const Operand> operands) {
  DType dtype = operands[0].is_tensor() ? operands[0].tensor().dtype() : DType::bool_;
  bool same = operands[0].is_tensor();
  for (const Operand& operand : operands.subspan(1))
    same = same && operand.is_tensor() && operand.tensor().dtype() == dtype;
  if (!same) {
    dtype = result_type(operands);
    if (std::any_of(operands.begin(), operands.end(), is_bool)) refuse_bool_difference(info, operands);
  }
  if (info.domain == Domain::floating && !is_floating(dtype)) dtype = default_dtype();
  return dtype;
}

/// The name of PyTorch's kernel, where it is not that of the operation.
const char* kernel_name(const char* op_name) {
  constexpr std::pair<std::string_view, const char*> names[] = {
      {"addcmul", "addcmul_cpu_out"},
      {"bitwise_left_shift", "lshift_cpu"},
      {"bitwise_right_shift", "rshift_cpu"},
      {"ceil", "ceil_vml_cpu"},
      {"celu", "elu_cpu"},
      {"floor", "floor_vml_cpu"},
      {"floor_divide", "div_floor_cpu"},
      {"gelu", "GeluKernelImpl"},
      {"integer_pow", "pow"},
      {"logsigmoid", "log_sigmoid_cpu"},
      {"round", "round_vml_cpu"},
      {"softshrink", "softshrink_check"},
      {"trunc", "trunc_vml_cpu"},
  };
  for (const auto& [name, kernel] : names)
    if (name == op_name) return kernel;
  return nullptr;
}

[[noreturn]] void fail_unsupported(const ElementwiseInfo& info, std::span<const Operand> operands,
                                   DType dtype) {
  Dims shape;
  for (const Operand& operand : operands)
    if (operand.is_tensor()) shape = broadcast_shapes(shape, operand.tensor().shape());
  if (dtype == DType::bool_ && std::string_view(info.name) == "hardtanh")
    fail(ErrorKind::runtime, "Bool inputs not supported for hardtanh; convert the input with .float()");
  if (dtype == DType::bool_ && std::string_view(info.name) == "relu")
    fail(ErrorKind::runtime, "Boolean inputs not supported for relu; convert the input with .float()");
  if (dtype == DType::bool_ &&
      (std::string_view(info.name) == "sub" || std::string_view(info.name) == "rsub"))
    fail(ErrorKind::runtime,
         "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
         "`logical_xor()` operator instead.");
  if (dtype == DType::bool_ && std::string_view(info.name) == "neg")
    fail(ErrorKind::runtime,
         "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a "
         "mask, use the `~` or `logical_not()` operator instead.");
  const char* kernel = kernel_name(info.name);
  fail(ErrorKind::not_implemented, "\"", kernel ? kernel : concat(info.name, "_cpu"),
       "\" not implemented for '", scalar_type_name(dtype),
       "' (convert the operands to a type that it accepts)");
}

// A Python number as an operand of a small tensor is written out this many times, which makes it an ordinary
// operand.
constexpr int kSmall = 64;

void repeat_scalar(Scalar scalar, DType dtype, int64_t count, char* bytes) {
  scalar.store(dtype, bytes);
  for (int64_t filled = item_size(dtype), total = count * filled; filled < total; filled *= 2)
    std::memcpy(bytes + filled, bytes, static_cast<size_t>(std::min(filled, total - filled)));
}

// The common case: one type, one shape, contiguous. Returns false, having done nothing, in all others.
bool run_simple(BlockKernel kernel, const ElementwiseInfo& info, const void* op,
                std::span<const Operand> operands, DType compute, DType result, const Tensor* out,
                Tensor& y) {
  if (!operands[0].is_tensor() || info.mask_first) return false;
  const Tensor& a = operands[0].tensor();
  if (out && !(out->dtype() == result && out->is_contiguous() && out->shape() == a.shape())) return false;
  char* data[kMaxOperands];
  alignas(8) char repeated[2][kSmall * 8];
  int repeated_count = 0;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].is_tensor()) {
      const Tensor& t = operands[i].tensor();
      if (!(t.dtype() == compute && t.is_contiguous() && (i == 0 || t.shape() == a.shape()))) return false;
      data[i + 1] = t.raw();
      if (out && t.raw() != out->raw()) check_no_partial_overlap(*out, t);
    } else {
      if (a.numel() > kSmall || repeated_count == 2) return false;
      repeat_scalar(operands[i].scalar(), compute, a.numel(), data[i + 1] = repeated[repeated_count++]);
    }
  }
  y = out ? *out : empty(a.shape(), result);
  data[0] = y.raw();
  const int in = item_size(compute), sizes[kMaxOperands] = {item_size(result), in, in, in, in, in};
  launch_contiguous(kernel, op, data, sizes, static_cast<int>(operands.size()) + 1, y.numel());
  return true;
}

}  // namespace

Tensor run_elementwise(const ElementwiseInfo& info, const void* op, std::span<const Operand> operands,
                       const Tensor* out) {
  const std::span<const Operand> typed = info.mask_first ? operands.subspan(1) : operands;
  const DType compute = compute_type(info, typed);
  const BlockKernel kernel = kernels->elementwise.forward[info.index][static_cast<int>(compute)];
  if (!kernel) [[unlikely]]
    fail_unsupported(info, operands, compute);
  const DType result = info.returns_bool ? DType::bool_ : compute;

  if (Tensor y; run_simple(kernel, info, op, operands, compute, result, out, y)) [[likely]]
    return y;

  Dims shape;
  const Tensor* layout = nullptr;  // an operand of the full shape whose order of dimensions the result takes
  bool first_tensor = true;
  for (const Operand& operand : operands) {
    if (!operand.is_tensor()) continue;
    shape = first_tensor ? operand.tensor().shape() : broadcast_shapes(shape, operand.tensor().shape());
    first_tensor = false;
  }
  for (const Operand& operand : operands)
    if (operand.is_tensor() && operand.tensor().shape() == shape && !layout) layout = &operand.tensor();

  Tensor y;
  bool through_temporary = false;
  if (out) {
    const bool fits = out->shape() == shape;
    const bool is_operand = std::any_of(operands.begin(), operands.end(), [&](const Operand& operand) {
      return operand.is_tensor() && operand.tensor().is_same(*out);
    });
    TG_CHECK(fits || !is_operand, "output with shape ", to_string(out->shape()),
             " doesn't match the broadcast shape ", to_string(shape));
    TG_CHECK(can_cast(result, out->dtype()), "result type ", scalar_type_name(result),
             " can't be cast to the desired output type ", scalar_type_name(out->dtype()));
    if (!fits) resize_output(*out, shape);
    check_no_internal_overlap(*out);
    y = *out;
    through_temporary = out->dtype() != result;
    for (const Operand& operand : operands)
      if (operand.is_tensor()) check_no_partial_overlap(*out, operand.tensor());
  }
  if (!out || through_temporary) y = layout ? empty_like_layout(*layout, result) : empty(shape, result);

  StridedLoop loop;
  loop.shape = shape;
  loop.add(y);
  Tensor converted[kMaxOperands];
  alignas(8) char scalar_bytes[kMaxOperands][8];
  for (size_t i = 0; i < operands.size(); ++i) {
    const DType wanted = info.mask_first && i == 0 ? DType::bool_ : compute;
    if (!operands[i].is_tensor()) {
      operands[i].scalar().store(wanted, scalar_bytes[i]);
      loop.add_repeated(scalar_bytes[i], item_size(wanted));
    } else if (operands[i].tensor().dtype() == wanted) {
      loop.add(operands[i].tensor());
    } else {
      converted[i] = cast_values(operands[i].tensor(), wanted);
      loop.add(converted[i]);
    }
  }
  launch(kernel, op, loop);
  if (through_temporary) copy_values(*out, y);
  return out ? *out : y;
}

const Tensor& compared_inplace(const ElementwiseInfo& info, const void* op,
                               std::span<const Operand> operands) {
  const Tensor& self = operands[0].tensor();
  autograd::check_inplace(self, true);
  run_elementwise(info, op, operands, &self);
  static std::map<std::string, std::string> names;  // PyTorch counts its overloads: a number is 0, a tensor 1
  std::string& name = names[concat(info.name, operands[1].is_tensor())];
  if (name.empty()) {
    name = backward_name(info.name);
    if (operands[1].is_tensor()) name.back() = '1';
  }
  return autograd::record_inplace(name.c_str(), self, {self}, {}, [](autograd::Backward& b) {
    return full_values(b.grad().shape(), 0, b.grad().dtype());
  });
}

Tensor run_elementwise_backward(const ElementwiseInfo& info, int i, const void* op,
                                std::span<const Operand> operands, bool overwrite) {
  const DType compute = result_type(operands);
  const BlockKernel kernel = kernels->elementwise.backward[info.index][i][static_cast<int>(compute)];
  bool simple = true;
  const Tensor& g = operands[0].tensor();
  char* data[kMaxOperands];
  for (size_t k = 0; k < operands.size(); ++k) {
    const Tensor& t = operands[k].tensor();
    simple = simple && t.dtype() == compute && t.is_contiguous() && t.shape() == g.shape();
    data[k + 1] = t.raw();
  }
  if (simple) {
    Tensor y = overwrite ? g : empty(g.shape(), compute);
    data[0] = y.raw();
    const int size = item_size(compute), sizes[kMaxOperands] = {size, size, size, size, size, size};
    launch_contiguous(kernel, op, data, sizes, static_cast<int>(operands.size()) + 1, y.numel());
    return y;
  }
  Dims shape = g.shape();
  for (const Operand& operand : operands.subspan(1))
    shape = broadcast_shapes(shape, operand.tensor().shape());
  Tensor y = g.shape() == shape ? empty_like_layout(g, compute) : empty(shape, compute);
  StridedLoop loop;
  loop.shape = shape;
  loop.add(y);
  Tensor converted[kMaxOperands];
  for (size_t k = 0; k < operands.size(); ++k) {
    const Tensor& t = operands[k].tensor();
    converted[k] = t.dtype() == compute ? t : cast_values(t, compute);
    loop.add(converted[k]);
  }
  launch(kernel, op, loop);
  return y;
}

}  // namespace tapegrad
