#include "autograd/cycles.h"

#include <unordered_map>
#include <unordered_set>

#include "autograd/saved_tensor.h"

namespace tapegrad::autograd {

namespace {

std::unordered_set<TensorImpl*> watched;
size_t next_search = 64;  // leaves

/// Everything that can be reached from the watched leaves, with the references to it that come from outside.
class Reachable {
 public:
  Reachable() {
    for (TensorImpl* leaf : watched) add(leaf, leaf->references);
    for (size_t i = 0; i < order_.size(); ++i)
      for_each_reference(order_[i], [&](Item item) {
        add(item);
        --outside_[item.pointer];
      });
    keep_what_is_referred_to();
  }
  bool is_garbage(TensorImpl* leaf) const { return outside_.at(leaf) == 0; }

 private:
  struct Item {
    Item(TensorImpl* tensor) : pointer(tensor), tensor(tensor) {}
    Item(Node* node) : pointer(node), node(node) {}
    void* pointer;
    TensorImpl* tensor = nullptr;
    Node* node = nullptr;
    int64_t references() const { return tensor ? tensor->references : node->references; }
  };
  std::vector<Item> order_;
  std::unordered_map<void*, int64_t> outside_;

  void add(Item item) { add(item, item.references()); }
  void add(Item item, int64_t references) {
    if (outside_.try_emplace(item.pointer, references).second) order_.push_back(item);
  }

  template <class F>
  static void for_each_reference(Item item, F f) {  // a copy: f may move the list that holds it
    if (item.tensor) {
      if (item.tensor->grad_fn) f(Item(static_cast<Node*>(item.tensor->grad_fn.get())));
      if (item.tensor->base) f(Item(item.tensor->base.get()));
      const auto* meta = static_cast<const AutogradMeta*>(item.tensor->autograd.get());
      if (meta && meta->grad.defined()) f(Item(meta->grad.impl()));
      return;
    }
    for (const Edge& edge : item.node->edges())
      if (edge.node) f(Item(edge.node.get()));
    if (Node* inner = item.node->enclosed()) f(Item(inner));
    if (item.node->is_accumulator()) {
      if (const Tensor& leaf = static_cast<AccumulateGrad*>(item.node)->variable; leaf.defined())
        f(Item(leaf.impl()));
    }
    struct Visitor final : SavedVisitor {
      explicit Visitor(F& f) : f(f) {}
      void tensor(const char*, SavedTensor& saved) override {
        if (const Tensor* tensor = saved.kept()) f(Item(tensor->impl()));
      }
      void number(const char*, Scalar) override {}
      F& f;
    } visitor(f);
    item.node->visit_saved(visitor);
  }

  void keep_what_is_referred_to() {
    std::vector<Item> kept;
    for (const Item& item : order_)
      if (outside_[item.pointer] > 0) kept.push_back(item);
    while (!kept.empty()) {
      const Item item = kept.back();
      kept.pop_back();
      for_each_reference(item, [&](Item next) {
        int64_t& references = outside_[next.pointer];
        if (references == 0) kept.push_back(next);
        if (references == 0) references = 1;
      });
    }
  }
};

}  // namespace

void watch_for_cycles(const Tensor& leaf) {
  AutogradMeta& meta = autograd_meta(leaf);
  if (meta.watched) return;
  meta.watched = true;
  meta.owner = leaf.impl();
  watched.insert(leaf.impl());
  if (watched.size() < next_search) return;
  collect_cycles();
  next_search = std::max<size_t>(64, 2 * watched.size());
}

void stop_watching(AutogradMeta& meta) {
  if (meta.watched) watched.erase(meta.owner);
  meta.watched = false;
}

void collect_cycles() {
  static bool collecting = false;
  if (collecting) return;
  collecting = true;
  std::vector<Tensor> dropped;
  {
    std::vector<AutogradMeta*> without_history;
    for (TensorImpl* leaf : watched) {
      auto* meta = static_cast<AutogradMeta*>(leaf->autograd.get());
      if (!meta->grad.defined() || !meta->grad->grad_fn) without_history.push_back(meta);
    }
    for (AutogradMeta* meta : without_history) stop_watching(*meta);
    const Reachable reachable;
    for (TensorImpl* leaf : watched)
      if (reachable.is_garbage(leaf))
        dropped.push_back(std::move(static_cast<AutogradMeta*>(leaf->autograd.get())->grad));
  }
  dropped.clear();
  collecting = false;
}

}  // namespace tapegrad::autograd
