// einsum and tensordot by reduction to batched products: operands are contracted from left to right, each
// pair as one bmm over (batch, left, contracted) x (batch, contracted, right).
#include <array>
#include <string>

#include "ops/matmul.h"
#include "ops/ops.h"

namespace tapegrad {

namespace {

constexpr int kLabels = 52 + kMaxDims;  // letters, then the dimensions of "..."

int label_of(char c) {
  if (c >= 'a' && c <= 'z') return c - 'a';
  if (c >= 'A' && c <= 'Z') return 26 + c - 'A';
  fail(ErrorKind::runtime, "einsum(): invalid subscript given: '", c, "', subscripts must be in [a-zA-Z]");
}

/// A tensor whose dimensions are named by labels.
struct Labelled {
  Tensor tensor;
  std::vector<int> labels;
  bool has(int label) const { return std::find(labels.begin(), labels.end(), label) != labels.end(); }
};

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
  bool explicit_output = false;
};

Equation parse(std::string_view text) {
  Equation equation;
  std::string clean;
  for (char c : text)
    if (c != ' ') clean += c;
  const size_t arrow = clean.find("->");
  equation.explicit_output = arrow != std::string::npos;
  if (equation.explicit_output) equation.output = clean.substr(arrow + 2);
  std::string left = clean.substr(0, arrow);
  for (size_t comma; (comma = left.find(',')) != std::string::npos; left = left.substr(comma + 1))
    equation.inputs.push_back(left.substr(0, comma));
  equation.inputs.push_back(left);
  return equation;
}

/// Labels of one term; "..." becomes the last `dots` labels of the ellipsis.
std::vector<int> labels_of(const std::string& term, int dots, int all_dots) {
  std::vector<int> labels;
  for (size_t i = 0; i < term.size(); ++i) {
    if (term[i] != '.') {
      labels.push_back(label_of(term[i]));
      continue;
    }
    TG_CHECK(term.compare(i, 3, "...") == 0, "einsum(): found '.' that is not part of any ellipsis");
    for (int d = all_dots - dots; d < all_dots; ++d) labels.push_back(52 + d);
    i += 2;
  }
  return labels;
}

/// Repeated labels in one term take the diagonal.
void take_diagonals(Labelled& x) {
  for (size_t i = 0; i < x.labels.size(); ++i)
    for (size_t j = i + 1; j < x.labels.size(); ++j)
      if (x.labels[i] == x.labels[j]) {
        TG_CHECK(x.tensor.size(static_cast<int64_t>(i)) == x.tensor.size(static_cast<int64_t>(j)),
                 "einsum(): subscript is repeated for one operand but the sizes don't match, ",
                 x.tensor.size(static_cast<int64_t>(j)), " != ", x.tensor.size(static_cast<int64_t>(i)));
        const int label = x.labels[i];
        x.tensor = diagonal(x.tensor, 0, static_cast<int64_t>(i), static_cast<int64_t>(j));
        x.labels.erase(x.labels.begin() + static_cast<long>(j));
        x.labels.erase(x.labels.begin() + static_cast<long>(i));
        x.labels.push_back(label);
        return take_diagonals(x);
      }
}

/// The dimensions `order` of x, in that order; labels that x lacks become size 1.
Tensor arrange(const Labelled& x, const std::vector<int>& order) {
  Dims permutation;
  for (int label : order) {
    const auto found = std::find(x.labels.begin(), x.labels.end(), label);
    if (found != x.labels.end()) permutation.push_back(found - x.labels.begin());
  }
  Tensor result = permute(x.tensor, permutation);
  for (size_t i = 0; i < order.size(); ++i)
    if (!x.has(order[i])) result = unsqueeze(result, static_cast<int64_t>(i));
  return result;
}

/// Sums over the labels of x that `keep` rejects.
template <class Keep>
void sum_out(Labelled& x, Keep keep) {
  Dims dims;
  std::vector<int> left;
  for (size_t i = 0; i < x.labels.size(); ++i)
    if (keep(x.labels[i]))
      left.push_back(x.labels[i]);
    else
      dims.push_back(static_cast<int64_t>(i));
  if (!dims.empty()) x.tensor = sum(x.tensor, dims);
  x.labels = left;
}

Labelled contract(Labelled a, Labelled b, const std::vector<bool>& needed_later) {
  sum_out(a, [&](int label) { return needed_later[static_cast<size_t>(label)] || b.has(label); });
  sum_out(b, [&](int label) { return needed_later[static_cast<size_t>(label)] || a.has(label); });
  std::vector<int> batch, left, right, inner;
  auto size_in = [](const Labelled& x, int label) {
    return x.tensor.size(std::find(x.labels.begin(), x.labels.end(), label) - x.labels.begin());
  };
  for (int label : a.labels)
    if (!b.has(label))
      left.push_back(label);
    else if (needed_later[static_cast<size_t>(label)])
      batch.push_back(label);
    else
      inner.push_back(label);
  for (int label : b.labels)
    if (!a.has(label)) right.push_back(label);
  // A contracted dimension of size 1 on one side stretches, which a product of matrices does not do.
  for (int label : inner)
    if (size_in(a, label) != size_in(b, label)) {
      Labelled& wide = size_in(a, label) == 1 ? b : a;
      Labelled& narrow = size_in(a, label) == 1 ? a : b;
      sum_out(wide, [&](int l) { return l != label; });
      sum_out(narrow, [&](int l) { return l != label; });
      return contract(std::move(a), std::move(b), needed_later);
    }

  auto join = [](std::initializer_list<const std::vector<int>*> groups) {
    std::vector<int> all;
    for (const auto* group : groups) all.insert(all.end(), group->begin(), group->end());
    return all;
  };
  Labelled result;
  result.labels = join({&batch, &left, &right});
  if (inner.empty()) {
    result.tensor = mul(arrange(a, result.labels), arrange(b, result.labels));
    return result;
  }
  const Tensor x = arrange(a, join({&batch, &left, &inner})), y = arrange(b, join({&batch, &inner, &right}));
  const size_t nb = batch.size(), nl = left.size(), ni = inner.size();
  Dims shape;
  int64_t batch_count = 1, left_count = 1, inner_count = 1, right_count = 1;
  Dims x_shape = x.shape(), y_shape = y.shape();
  for (size_t i = 0; i < nb; ++i) {
    const int d = static_cast<int>(i);
    const int64_t size = std::max(x_shape[d], y_shape[d]);
    x_shape[d] = y_shape[d] = size;
    shape.push_back(size);
    batch_count *= size;
  }
  for (size_t i = 0; i < nl; ++i) {
    shape.push_back(x_shape[static_cast<int>(nb + i)]);
    left_count *= shape.back();
  }
  for (size_t i = 0; i < ni; ++i) inner_count *= y_shape[static_cast<int>(nb + i)];
  for (int i = static_cast<int>(nb + ni); i < y_shape.size(); ++i) {
    shape.push_back(y_shape[i]);
    right_count *= y_shape[i];
  }
  const Tensor product = bmm(reshape(expand(x, x_shape), {{batch_count, left_count, inner_count}}),
                             reshape(expand(y, y_shape), {{batch_count, inner_count, right_count}}));
  result.tensor = view(product, shape);
  return result;
}

}  // namespace

Tensor einsum(std::string_view text, const std::vector<Tensor>& operands) {
  const Equation equation = parse(text);
  TG_CHECK(!operands.empty(), "einsum(): must provide at least one operand");
  TG_CHECK(equation.inputs.size() >= operands.size(),
           "einsum(): more operands were provided than specified in the equation");
  TG_CHECK(equation.inputs.size() <= operands.size(),
           "einsum(): fewer operands were provided than specified in the equation");
  int all_dots = 0;
  std::vector<int> dots;
  for (size_t i = 0; i < operands.size(); ++i) {
    const std::string& term = equation.inputs[i];
    const bool has_dots = term.find("...") != std::string::npos;
    const int letters = static_cast<int>(term.size()) - (has_dots ? 3 : 0);
    TG_CHECK(has_dots ? letters <= operands[i].dim() : letters == operands[i].dim(),
             "einsum(): the number of subscripts in the equation (", letters,
             has_dots ? ") is more than the number of dimensions ("
                      : ") does not match the number of dimensions (",
             operands[i].dim(), ") for operand ", i, has_dots ? "" : " and no ellipsis was given");
    dots.push_back(has_dots ? operands[i].dim() - letters : 0);
    all_dots = std::max(all_dots, dots.back());
  }
  std::vector<Labelled> terms;
  std::array<int64_t, kLabels> sizes;
  std::array<int, kLabels> uses{};
  sizes.fill(-1);
  for (size_t i = 0; i < operands.size(); ++i) {
    Labelled term{operands[i], labels_of(equation.inputs[i], dots[i], all_dots)};
    for (int label : term.labels) ++uses[static_cast<size_t>(label)];
    take_diagonals(term);
    for (size_t d = 0; d < term.labels.size(); ++d) {
      int64_t& known = sizes[static_cast<size_t>(term.labels[d])];
      const int64_t size = term.tensor.size(static_cast<int64_t>(d));
      TG_CHECK(known == -1 || known == 1 || size == 1 || known == size, "einsum(): subscript ",
               term.labels[d] < 26   ? std::string(1, static_cast<char>('a' + term.labels[d]))
               : term.labels[d] < 52 ? std::string(1, static_cast<char>('A' + term.labels[d] - 26))
                                     : std::string("..."),
               " has size ", size, " for operand ", i, " which does not broadcast with previously seen size ",
               known);
      known = std::max(known, size);
    }
    terms.push_back(std::move(term));
  }
  std::vector<int> output;
  if (equation.explicit_output) {
    output = labels_of(equation.output, all_dots, all_dots);
    for (size_t i = 0; i < output.size(); ++i) {
      const char shown =
          output[i] < 26 ? static_cast<char>('a' + output[i]) : static_cast<char>('A' + output[i] - 26);
      TG_CHECK(sizes[static_cast<size_t>(output[i])] >= 0, "einsum(): output subscript ", shown,
               " does not appear in the equation for any input operand");
      for (size_t j = 0; j < i; ++j)
        TG_CHECK(output[i] != output[j], "einsum(): output subscript ", shown,
                 " appears more than once in the output");
    }
  } else {  // the ellipsis, then the letters that appear once, capitals first
    for (int d = 0; d < all_dots; ++d) output.push_back(52 + d);
    for (int i = 0; i < 52; ++i) {
      const int label = (i + 26) % 52;
      if (uses[static_cast<size_t>(label)] == 1) output.push_back(label);
    }
  }

  std::vector<bool> needed(kLabels, false);
  Labelled result = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    std::fill(needed.begin(), needed.end(), false);
    for (int label : output) needed[static_cast<size_t>(label)] = true;
    for (size_t j = i + 1; j < terms.size(); ++j)
      for (int label : terms[j].labels) needed[static_cast<size_t>(label)] = true;
    result = contract(std::move(result), terms[i], needed);
  }
  sum_out(result, [&](int label) { return std::find(output.begin(), output.end(), label) != output.end(); });
  return arrange(result, output);
}

Tensor tensordot(const Tensor& a, const Tensor& b, IntSpan dims_a, IntSpan dims_b) {
  TG_CHECK(dims_a.size() == dims_b.size(), "both dimension lists should have same length");
  const Dims wrapped_a = wrap_dims(dims_a, a.dim()), wrapped_b = wrap_dims(dims_b, b.dim());
  std::vector<int> labels_a, labels_b, output;
  for (int i = 0; i < a.dim(); ++i) labels_a.push_back(i);
  for (int i = 0; i < b.dim(); ++i) labels_b.push_back(a.dim() + i);
  for (int i = 0; i < wrapped_a.size(); ++i) {
    const int64_t size_a = a.size(wrapped_a[i]), size_b = b.size(wrapped_b[i]);
    TG_CHECK(size_a == size_b || size_a == 1 || size_b == 1,
             "contracted dimensions need to match, but first has size ", size_a, " in dim ", wrapped_a[i],
             " and second has size ", size_b, " in dim ", wrapped_b[i]);
    labels_b[static_cast<size_t>(wrapped_b[i])] = static_cast<int>(wrapped_a[i]);
  }
  auto contracted = [&](int label) { return std::count(wrapped_a.begin(), wrapped_a.end(), label) > 0; };
  for (int label : labels_a)
    if (!contracted(label)) output.push_back(label);
  for (int label : labels_b)
    if (!contracted(label)) output.push_back(label);
  std::vector<bool> needed(static_cast<size_t>(a.dim() + b.dim()), false);
  for (int label : output) needed[static_cast<size_t>(label)] = true;
  const Labelled result = contract({a, labels_a}, {b, labels_b}, needed);
  return arrange(result, output);
}

Tensor inner(const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 || b.dim() == 0) return mul(a, b);
  TG_CHECK(a.size(-1) == b.size(-1),
           "inner() the last dimension must match on both input tensors but got shapes ",
           to_string(a.shape()), " and ", to_string(b.shape()));
  return tensordot(a, b, {{-1}}, {{-1}});
}

}  // namespace tapegrad
