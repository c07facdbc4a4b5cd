#include "bindings/saved_attributes.h"

#include "autograd/saved_tensor.h"
#include "bindings/arg_parser.h"
#include "bindings/node_type.h"

namespace tapegrad::python {

namespace {

using autograd::Node;
using autograd::SavedTensor;

/// One thing that a node saved.
struct Entry {
  std::string name;
  SavedTensor* tensor = nullptr;  // null for a number
  Scalar number;
};

struct Collector final : autograd::SavedVisitor {
  explicit Collector(const char* const* names) : names(names) {}
  void tensor(const char* name, SavedTensor& saved) override {
    entries.push_back({next_name(name), &saved, {}});
  }
  void number(const char* name, Scalar value) override {
    entries.push_back({next_name(name), nullptr, value});
  }
  std::vector<Entry> entries;

 private:
  const char* const* names;

  std::string next_name(const char* given) {
    if (names && *names) return *names++;
    return *given ? given : concat("tensor", entries.size());
  }
};

std::vector<Entry> entries_of(Node& node) {
  Collector collector(saved_names(node.name()));
  node.visit_saved(collector);
  return std::move(collector.entries);
}

}  // namespace

PyObject* saved_attribute(Node& node, const std::string& name) {
  constexpr std::string_view kSaved = "_saved_", kRaw = "_raw_saved_";
  const bool raw = name.starts_with(kRaw);
  if (!raw && !name.starts_with(kSaved)) return nullptr;
  const std::string_view wanted = std::string_view(name).substr(raw ? kRaw.size() : kSaved.size());
  for (Entry& entry : entries_of(node)) {
    if (entry.name != wanted || (raw && !entry.tensor)) continue;
    if (!entry.tensor) return from_scalar(entry.number);
    if (node.saved_released) autograd::fail_backward_twice(node);
    return raw ? wrap_saved_tensor(node, *entry.tensor) : wrap(entry.tensor->unpack(&node));
  }
  return nullptr;
}

std::vector<std::string> saved_attribute_names(Node& node) {
  std::vector<std::string> names;
  for (const Entry& entry : entries_of(node)) {
    names.push_back("_saved_" + entry.name);
    if (entry.tensor) names.push_back("_raw_saved_" + entry.name);
  }
  return names;
}

}  // namespace tapegrad::python
