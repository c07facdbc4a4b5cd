"""What users get wrong: each misuse raises PyTorch's exception with its first words, and then says more."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import tapegrad


class Misuses(dict[str, tuple[Callable[[Any], Any], type[Exception], str]]):
    """Functions of the library, by name, with the exception that PyTorch raises and its first words."""

    def __call__(self, kind: type[Exception], words: str) -> Callable[..., Any]:
        def add(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
            self[function.__name__] = function, kind, words
            return function

        return add


misuse = Misuses()


def leaf(torch: Any, *shape: int) -> Any:
    return torch.ones(*shape, requires_grad=True)


# --- backward ---


@misuse(RuntimeError, "grad can be implicitly created only for scalar outputs")
def backward_of_a_vector(torch: Any) -> None:
    (leaf(torch, 3) * 2).backward()


@misuse(RuntimeError, "element 0 of tensors does not require grad and does not have a grad_fn")
def backward_of_a_constant(torch: Any) -> None:
    torch.ones(1).backward()


@misuse(RuntimeError, "element 0 of tensors does not require grad and does not have a grad_fn")
def backward_of_what_no_grad_computed(torch: Any) -> None:
    x = leaf(torch, 1)
    with torch.no_grad():
        y = x * 2
    y.backward()


@misuse(RuntimeError, "element 0 of tensors does not require grad")
def backward_of_a_detached_loss(torch: Any) -> None:
    (leaf(torch, 2) * 2).sum().detach().backward()


@misuse(RuntimeError, "element 0 of tensors does not require grad")
def backward_of_an_argmax(torch: Any) -> None:
    leaf(torch, 3).argmax().backward()


@misuse(RuntimeError, "Trying to backward through the graph a second time")
def backward_twice(torch: Any) -> None:
    y = leaf(torch, 2).exp().sum()
    y.backward()
    y.backward()


@misuse(RuntimeError, "Trying to backward through the graph a second time")
def backward_through_a_shared_part_twice(torch: Any) -> None:
    shared = leaf(torch, 2).exp()
    (shared * 2).sum().backward()
    (shared * 3).sum().backward()


@misuse(RuntimeError, "Mismatch in shape: grad_output[0] has a shape of")
def gradient_of_another_shape(torch: Any) -> None:
    (leaf(torch, 3) * 2).backward(torch.ones(2))


@misuse(TypeError, "gradients can be either Tensors or None, but got")
def gradient_that_is_no_tensor(torch: Any) -> None:
    torch.autograd.backward((leaf(torch, 3) * 2).sum(), [1.0])


@misuse(RuntimeError, "`inputs` argument to `backward()` cannot be empty")
def backward_to_no_inputs(torch: Any) -> None:
    leaf(torch, 2).sum().backward(inputs=[])


@misuse(RuntimeError, "One of the differentiated Tensors does not require grad")
def gradient_of_a_constant(torch: Any) -> None:
    torch.autograd.grad(leaf(torch, 2).sum(), torch.ones(2))


@misuse(RuntimeError, "The differentiated Tensor at index 0 appears to not have been used in the graph")
def gradient_of_an_unused_input(torch: Any) -> None:
    torch.autograd.grad(leaf(torch, 2).sum(), leaf(torch, 2))


@misuse(RuntimeError, "grad can be implicitly created only for scalar outputs")
def grad_of_a_vector(torch: Any) -> None:
    x = leaf(torch, 2)
    torch.autograd.grad(x * 2, x)


@misuse(ValueError, "Expected allow_unused to be True or not passed when materialize_grads=True")
def materialize_but_refuse_unused(torch: Any) -> None:
    x = leaf(torch, 2)
    torch.autograd.grad(x.sum(), x, allow_unused=False, materialize_grads=True)


@misuse(
    RuntimeError, "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`"
)
def both_names_of_the_gradients(torch: Any) -> None:
    torch.autograd.backward(leaf(torch, 1), torch.ones(1), grad_variables=torch.ones(1))


# --- in place ---


@misuse(
    RuntimeError,
    "one of the variables needed for gradient computation has been modified by an inplace operation",
)
def changing_what_a_derivative_needs(torch: Any) -> None:
    y = leaf(torch, 2).exp()
    y.add_(1)
    y.sum().backward()


@misuse(
    RuntimeError,
    "one of the variables needed for gradient computation has been modified by an inplace operation",
)
def changing_an_operand(torch: Any) -> None:
    x, c = leaf(torch, 2), torch.ones(2)
    y = x * c
    c.zero_()
    y.sum().backward()


@misuse(
    RuntimeError,
    "one of the variables needed for gradient computation has been modified by an inplace operation",
)
def stepping_between_forward_and_backward(torch: Any) -> None:
    w = leaf(torch, 2, 2)
    optimizer = torch.optim.SGD([w], lr=0.1)
    loss = (torch.ones(1, 2) @ w @ w).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    loss.backward()


@misuse(RuntimeError, "a leaf Variable that requires grad is being used in an in-place operation")
def changing_a_leaf(torch: Any) -> None:
    leaf(torch, 2).add_(1)


@misuse(RuntimeError, "a leaf Variable that requires grad is being used in an in-place operation")
def updating_a_parameter_without_no_grad(torch: Any) -> None:
    w = torch.nn.Parameter(torch.ones(2))
    w -= 0.1


@misuse(RuntimeError, "a view of a leaf Variable that requires grad is being used in an in-place operation")
def assigning_into_a_leaf(torch: Any) -> None:
    leaf(torch, 2)[0] = 1.0


@misuse(
    RuntimeError, "A view was created in no_grad mode and is being modified inplace with grad mode enabled"
)
def changing_a_view_made_under_no_grad(torch: Any) -> None:
    y = leaf(torch, 2) * 1
    with torch.no_grad():
        v = y[0]
    v.add_(1)


@misuse(RuntimeError, "Output 0 of Unbind is a view and is being modified inplace")
def changing_one_of_several_views(torch: Any) -> None:
    first, _ = (leaf(torch, 2) * 1).unbind()
    first.add_(1)


@misuse(RuntimeError, "output with shape [2] doesn't match the broadcast shape [3, 2]")
def growing_in_place(torch: Any) -> None:
    torch.ones(2).add_(torch.ones(3, 2))


@misuse(RuntimeError, "result type Float can't be cast to the desired output type Long")
def fractions_into_integers(torch: Any) -> None:
    torch.arange(3).add_(0.5)


# --- requires_grad, grad, detach ---


@misuse(RuntimeError, "Only Tensors of floating point")
def integers_that_require_grad(torch: Any) -> None:
    torch.tensor([1, 2], requires_grad=True)


@misuse(RuntimeError, "only Tensors of floating point")
def making_integers_require_grad(torch: Any) -> None:
    torch.arange(3).requires_grad_()


@misuse(RuntimeError, "you can only change requires_grad flags of leaf variables")
def freezing_a_result(torch: Any) -> None:
    (leaf(torch, 2) * 2).requires_grad_(False)


@misuse(RuntimeError, "can't retain_grad on Tensor that has requires_grad=False")
def retaining_the_gradient_of_a_constant(torch: Any) -> None:
    torch.ones(2).retain_grad()


@misuse(RuntimeError, "cannot register a hook on a tensor that doesn't require gradient")
def hook_on_a_constant(torch: Any) -> None:
    torch.ones(2).register_hook(print)


@misuse(RuntimeError, "attempting to assign a gradient of size '[3]' to a tensor of size '[2]'")
def gradient_of_a_wrong_shape(torch: Any) -> None:
    leaf(torch, 2).grad = torch.ones(3)


@misuse(TypeError, "assigned grad expected to be a Tensor or None but got")
def gradient_that_is_a_number(torch: Any) -> None:
    leaf(torch, 2).grad = 1.0


@misuse(RuntimeError, "Can't call numpy() on Tensor that requires grad")
def numpy_of_a_tracked_tensor(torch: Any) -> None:
    leaf(torch, 2).numpy()


@misuse(
    RuntimeError, "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol"
)
def copying_a_result(torch: Any) -> None:
    import copy

    copy.deepcopy(leaf(torch, 2) * 2)


@misuse(RuntimeError, "Can't detach views in-place")
def detaching_a_view_in_place(torch: Any) -> None:
    (leaf(torch, 2) * 1)[0].detach_()


@misuse(RuntimeError, "add(): functions with out=... arguments don't support automatic differentiation")
def out_argument_with_gradient(torch: Any) -> None:
    torch.add(leaf(torch, 2), 1, out=torch.empty(2))


# --- shapes and types ---


@misuse(RuntimeError, "The size of tensor a (3) must match the size of tensor b (2)")
def shapes_that_do_not_broadcast(torch: Any) -> None:
    torch.ones(3) + torch.ones(2)


@misuse(RuntimeError, "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)")
def matrices_that_do_not_fit(torch: Any) -> None:
    torch.ones(2, 3) @ torch.ones(2, 3)


@misuse(RuntimeError, "mat1 and mat2 shapes cannot be multiplied (4x3 and 5x2)")
def layer_of_another_width(torch: Any) -> None:
    torch.nn.Linear(5, 2)(torch.ones(4, 3))


@misuse(RuntimeError, "shape '[4]' is invalid for input of size 6")
def reshape_to_another_count(torch: Any) -> None:
    torch.ones(2, 3).reshape(4)


@misuse(RuntimeError, "view size is not compatible with input tensor's size and stride")
def view_of_a_transpose(torch: Any) -> None:
    torch.ones(2, 3).t().view(6)


@misuse(RuntimeError, "only one dimension can be inferred")
def two_unknown_sizes(torch: Any) -> None:
    torch.ones(6).view(-1, -1)


@misuse(RuntimeError, "Sizes of tensors must match except in dimension 0")
def joining_what_does_not_fit(torch: Any) -> None:
    torch.cat([torch.ones(2, 3), torch.ones(2, 4)])


@misuse(RuntimeError, "stack expects each tensor to be equal size")
def stacking_unequal_tensors(torch: Any) -> None:
    torch.stack([torch.ones(2), torch.ones(3)])


@misuse(IndexError, "Dimension out of range (expected to be in range of [-2, 1], but got 2)")
def dimension_out_of_range(torch: Any) -> None:
    torch.ones(2, 3).sum(2)


@misuse(IndexError, "index 5 is out of bounds for dimension 0 with size 3")
def index_out_of_range(torch: Any) -> None:
    torch.ones(3)[5]


@misuse(IndexError, "too many indices for tensor of dimension 1")
def too_many_indices(torch: Any) -> None:
    torch.ones(3)[0, 0]


@misuse(IndexError, "The shape of the mask [2] at index 0 does not match")
def mask_of_another_shape(torch: Any) -> None:
    torch.ones(3)[torch.tensor([True, False])]


@misuse(IndexError, "tensors used as indices must be long, int, byte or bool tensors")
def index_of_floats(torch: Any) -> None:
    torch.ones(3)[torch.tensor([0.0])]


@misuse(ValueError, "step must be greater than zero")
def slice_backwards(torch: Any) -> None:
    torch.ones(3)[::-1]


@misuse(RuntimeError, "expected m1 and m2 to have the same dtype")
def matrices_of_two_types(torch: Any) -> None:
    torch.ones(2, 2) @ torch.ones(2, 2, dtype=torch.float64)


@misuse(RuntimeError, "Boolean value of Tensor with more than one value is ambiguous")
def truth_of_a_vector(torch: Any) -> None:
    bool(torch.ones(2))


@misuse(RuntimeError, "a Tensor with 2 elements cannot be converted to Scalar")
def item_of_a_vector(torch: Any) -> None:
    torch.ones(2).item()


@misuse(TypeError, "only integer tensors of a single element can be converted to an index")
def float_tensor_as_index(torch: Any) -> None:
    [1, 2, 3][torch.tensor(1.0)]


@misuse(TypeError, "len() of a 0-d tensor")
def length_of_a_number(torch: Any) -> None:
    len(torch.tensor(1.0))


@misuse(TypeError, "iteration over a 0-d tensor")
def iterating_over_a_number(torch: Any) -> None:
    list(torch.tensor(1.0))


@misuse(ValueError, "too many dimensions 'str'")
def tensor_of_strings(torch: Any) -> None:
    torch.tensor(["a", "b"])


@misuse(ValueError, "expected sequence of length 2 at dim 1 (got 1)")
def ragged_lists(torch: Any) -> None:
    torch.tensor([[1, 2], [3]])


@misuse(TypeError, "unsupported operand type(s) for +: 'Tensor' and 'str'")
def adding_a_string(torch: Any) -> None:
    torch.ones(2) + "a"


@misuse(RuntimeError, "zeros: Dimension size must be non-negative")
def negative_size(torch: Any) -> None:
    torch.zeros(-1)


@misuse(RuntimeError, "mean(): could not infer output dtype")
def mean_of_integers(torch: Any) -> None:
    torch.arange(3).mean()


@misuse(RuntimeError, "Subtraction, the `-` operator, with two bool tensors is not supported")
def difference_of_masks(torch: Any) -> None:
    torch.tensor([True]) - torch.tensor([False])


@misuse(RuntimeError, "Integers to negative integer powers are not allowed")
def negative_power_of_integers(torch: Any) -> None:
    torch.arange(3) ** -1


@misuse(RuntimeError, "max(): Expected reduction dim to be specified for input.numel() == 0")
def largest_of_nothing(torch: Any) -> None:
    torch.empty(0).max()


@misuse(TypeError, "sum(): argument 'keepdim' must be bool, not int")
def number_as_a_flag(torch: Any) -> None:
    torch.ones(2).sum(0, keepdim=1)


@misuse(RuntimeError, "value cannot be converted to type uint8_t without overflow")
def number_out_of_range(torch: Any) -> None:
    torch.full((2,), 300, dtype=torch.uint8)


@misuse(RuntimeError, "Index put requires the source and destination dtypes match")
def assigning_fractions_at_indices_of_integers(torch: Any) -> None:
    torch.zeros(3, dtype=torch.long)[[0, 1]] = torch.tensor([0.5, 1.5])


@misuse(TypeError, "zeros(): argument 'size' failed to unpack the object at pos 2")
def size_that_is_no_integer(torch: Any) -> None:
    torch.zeros(2, None)


@misuse(TypeError, "eq() received an invalid combination of arguments")
def comparing_with_a_string(torch: Any) -> None:
    torch.eq(torch.ones(2), "a")


@misuse(RuntimeError, "expected dtype float for `end` but got dtype long int")
def mixing_types_in_lerp(torch: Any) -> None:
    torch.lerp(torch.ones(2), torch.tensor([1, 2]), 0.5)


@misuse(RuntimeError, "Expected index [3] to be no larger than")
def scattering_one_number_to_many_places(torch: Any) -> None:
    torch.zeros(3).scatter(0, torch.tensor([0, 1, 2]), torch.tensor(1.0))


@misuse(ValueError, "einsum(): must specify the equation string and at least one operand")
def einsum_of_nothing(torch: Any) -> None:
    torch.einsum("ij")


@misuse(TypeError, "descriptor 'view' for 'torch._C.TensorBase' objects doesn't apply to a 'NoneType' object")
def method_of_none(torch: Any) -> None:
    torch.Tensor.view(None, 2)


# --- networks ---


@misuse(RuntimeError, "mat1 and mat2 must have the same dtype, but got Double and Float")
def doubles_into_a_layer_of_floats(torch: Any) -> None:
    torch.nn.Linear(2, 3)(torch.ones(1, 2, dtype=torch.float64))


@misuse(ValueError, "RNN input dtype (torch.float64) does not match weight dtype (torch.float32)")
def doubles_into_a_recurrent_layer(torch: Any) -> None:
    torch.nn.LSTM(2, 3)(torch.ones(1, 1, 2, dtype=torch.float64))


@misuse(RuntimeError, "Class values must be smaller than num_classes.")
def class_that_one_hot_has_not(torch: Any) -> None:
    torch.nn.functional.one_hot(torch.tensor([0, 2]), 2)


@misuse(ValueError, "None is not a valid value for reduction")
def reduction_of_none(torch: Any) -> None:
    torch.nn.functional.mse_loss(torch.ones(2), torch.ones(2), reduction=None)


@misuse(RuntimeError, "Found dtype Long but expected Float")
def classes_as_probabilities(torch: Any) -> None:
    torch.nn.functional.binary_cross_entropy(torch.tensor([0.3]), torch.tensor([1]))


@misuse(RuntimeError, "result type Float can't be cast to the desired output type Long")
def classes_as_probabilities_of_logits(torch: Any) -> None:
    torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor([0.3]), torch.tensor([1]))


@misuse(IndexError, "Target 7 is out of bounds")
def class_that_does_not_exist(torch: Any) -> None:
    torch.nn.functional.cross_entropy(torch.ones(2, 3), torch.tensor([0, 7]))


@misuse(ValueError, "Expected input batch_size (2) to match target batch_size (3)")
def targets_of_another_batch(torch: Any) -> None:
    torch.nn.functional.cross_entropy(torch.ones(2, 3), torch.tensor([0, 1, 2]))


@misuse(RuntimeError, "expected target dtype to be Long or Byte, but got Float")
def classes_as_floats(torch: Any) -> None:
    torch.nn.functional.nll_loss(torch.ones(2, 3), torch.ones(2))


@misuse(RuntimeError, "all elements of input should be between 0 and 1")
def logits_where_probabilities_belong(torch: Any) -> None:
    torch.nn.functional.binary_cross_entropy(torch.tensor([2.0]), torch.tensor([1.0]))


@misuse(
    ValueError, "Using a target size (torch.Size([2])) that is different to the input size (torch.Size([3]))"
)
def targets_of_another_shape(torch: Any) -> None:
    torch.nn.functional.binary_cross_entropy(torch.full((3,), 0.5), torch.ones(2))


@misuse(ValueError, "optimizer got an empty parameter list")
def optimizer_without_parameters(torch: Any) -> None:
    torch.optim.SGD([], lr=0.1)


@misuse(ValueError, "can't optimize a non-leaf Tensor")
def optimizing_a_result(torch: Any) -> None:
    torch.optim.SGD([leaf(torch, 2) * 2], lr=0.1)


@misuse(ValueError, "Invalid learning rate: -1.0")
def negative_learning_rate(torch: Any) -> None:
    torch.optim.SGD([leaf(torch, 2)], lr=-1.0)


@misuse(
    TypeError, "params argument given to the optimizer should be an iterable of Tensors or dicts, but got"
)
def optimizer_of_one_tensor(torch: Any) -> None:
    torch.optim.SGD(leaf(torch, 2), lr=0.1)


@misuse(ValueError, "dropout probability has to be between 0 and 1, but got 2")
def dropout_of_more_than_everything(torch: Any) -> None:
    torch.nn.Dropout(2)


@misuse(RuntimeError, "Error(s) in loading state_dict for Linear")
def state_of_another_layer(torch: Any) -> None:
    torch.nn.Linear(2, 3).load_state_dict(torch.nn.Linear(3, 2).state_dict())


@misuse(AttributeError, "cannot assign module before Module.__init__() call")
def forgetting_to_initialize_the_module(torch: Any) -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            self.layer = torch.nn.Linear(1, 1)

    Net()


@misuse(NotImplementedError, 'Module [Net] is missing the required "forward" function')
def module_without_forward(torch: Any) -> None:
    class Net(torch.nn.Module):
        pass

    Net()(torch.ones(1))


@misuse(AttributeError, "'Linear' object has no attribute 'weigth'")
def misspelt_attribute(torch: Any) -> None:
    assert torch.nn.Linear(1, 1).weigth


@misuse(
    TypeError, "cannot assign 'torch.FloatTensor' as parameter 'weight' (torch.nn.Parameter or None expected)"
)
def plain_tensor_as_parameter(torch: Any) -> None:
    torch.nn.Linear(1, 1).weight = torch.ones(1, 1)


@misuse(IndexError, "index out of range in self")
def word_that_is_not_in_the_embedding(torch: Any) -> None:
    torch.nn.Embedding(3, 2)(torch.tensor([3]))


@misuse(ValueError, "Expected more than 1 value per channel when training, got input size")
def batch_norm_of_one_value(torch: Any) -> None:
    torch.nn.BatchNorm1d(2)(torch.ones(1, 2))


@misuse(RuntimeError, "Given groups=1, weight of size [1, 3, 2, 2], expected input")
def channels_that_do_not_fit(torch: Any) -> None:
    torch.nn.functional.conv2d(torch.ones(1, 2, 4, 4), torch.ones(1, 3, 2, 2))


@misuse(RuntimeError, "Calculated padded input size per channel: (2 x 2). Kernel size: (3 x 3)")
def kernel_larger_than_the_image(torch: Any) -> None:
    torch.nn.functional.conv2d(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 3, 3))


@misuse(RuntimeError, "Inference tensors cannot be saved for backward")
def training_on_inference_results(torch: Any) -> None:
    with torch.inference_mode():
        c = torch.ones(2)
    leaf(torch, 2) * c


def library(name: str) -> ModuleType:
    return tapegrad if name == "tapegrad" else importlib.import_module(name)


@pytest.mark.parametrize("name", ["tapegrad", "torch"] if importlib.util.find_spec("torch") else ["tapegrad"])
@pytest.mark.parametrize("title", misuse)
def test_misuse(title: str, name: str) -> None:
    """The same function on both libraries: the table cannot drift from PyTorch."""
    function, kind, words = misuse[title]
    with pytest.raises(kind) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function(library(name))
    assert type(caught.value) is kind
    assert str(caught.value).startswith(words)


def test_there_are_many() -> None:
    assert len(misuse) >= 60
