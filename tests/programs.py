# ruff: noqa: E501
"""One-line programs for test_torch_parity_programs.py, by topic."""

CORE = """
torch.zeros(2, dtype=float), torch.eye(2, dtype=int), torch.empty(1, dtype=bool).dtype
T([1, 2]).sum(dtype=float), torch.arange(3, dtype=float), T([1]).to(float), nn.Linear(1, 1, dtype=float).weight.dtype
torch.zeros(2, dtype=str)
torch.promote_types(float, int), torch.finfo(float), torch.iinfo(int)
torch.iinfo(torch.int64), torch.iinfo(torch.uint8)
[dtype.to_real() for dtype in (torch.float64, torch.int64, torch.complex64, torch.complex128)]
torch.typename(3), torch.typename(nn.ReLU), torch.typename(math), torch.typename(torch.Size([1]))
T([1.5]).type(int)
T([1.5]).type(np.float32)
T([1.5]).to(torch.float64, torch.float32)
(3,) + torch.Size([1, 2])
torch.Size([T(3), np.int64(2), True])
torch.Size(T([3, 4]))
torch.Size([T([3, 4])])
x = T(1); hash(x) == id(x)
x = T([1, 2]); x == np.array([1, 2]), np.array([1.0, 2]) == x, x == np.array(1), x == np.array("a"), x != np.array([1, 2])
T([1, 2]) == np.array([1, 2, 3])
np.array([1.0, 2]) / T([1, 2]), np.array([1, 2]) / T([2.0, 4])
torch.return_types.sort, isinstance(T([2, 1]).sort(), torch.return_types.sort)
pickle.loads(pickle.dumps(T([2, 1]).sort())), copy.copy(T([[1, 2]]).max(1))
torch.autograd.Variable(torch.ones(1), requires_grad=True, volatile=True)
torch.set_grad_enabled("a")
torch.autograd.Function.apply(T([1.0]))
torch.arange(2.5, dtype=torch.long), torch.arange(3.9, 0.1, -1, dtype=torch.long), torch.arange(2.5, dtype=torch.int32)
torch.arange(0, 2.5, 0.5, dtype=torch.long)
torch.zeros(2, None)
torch.zeros([2, 1.5])
torch.ones(3).T
torch.ones(2, 3).to(torch.float64, 1)
torch.ones(2, 3).to(torch.float64, non_blocking=1)
F.rrelu(T([-1.0, -2, 3, -4]), training=True), F.rrelu(torch.full((20,), -1.0).double(), training=True), torch.rand(1)
torch.zeros([T([2]), 3]), torch.eye(T([2])), torch.ones(4).split(T([2])), torch.ones(2, 2).select(0, T([1]))
torch.arange(T([3]))
torch.arange(T(3)), torch.full((2,), T(3.0)), torch.linspace(T(0.0), 1, T(2))
torch.full((2,), T(3.0, requires_grad=True))
F.dropout(torch.ones(2), T([0.5]))
torch.add(T([1]), T([1]), alpha=T([2]))
torch.ones(2).where(T([True, False]), 0), torch.ones(2).where(T([True, False]), T([5, 6]))
torch.ones(2).real, torch.ones(2).conj(), torch.positive(T([1])), T([1.0]).is_mkldnn
T([True]).positive()
T([1, 2]) in torch.arange(3)
torch.set_default_dtype("float")
torch.set_default_dtype(torch.int32)
torch.set_default_dtype(float)
nn.Parameter(T([1]))
nn.Linear(1, 1).to(float).weight.dtype
torch.relu(T([-0.0, float("nan"), -1.0, 2.0])), nn.ReLU()(T([-0.0] * 20)).sum(), torch.relu(T([-3, 4]))
nn.Linear(1, 1).to(int)
x = T([1]); x.__setattr__("requires_grad", True)
torch.is_floating_point(1)
torch.device("nowhere")
torch.device("")
hasattr(torch, "no_such_module"), hasattr(torch, "return_types")
"""

NUMBERS = """
torch.full((2,), 300, dtype=torch.uint8)
torch.full((2,), -255, dtype=torch.uint8), torch.full((2,), 2, dtype=torch.bool), torch.full((2,), 255.5, dtype=torch.int16)
torch.full((2,), -256, dtype=torch.uint8)
torch.full((2,), -0.5, dtype=torch.uint8)
torch.full((2,), 128, dtype=torch.int8)
torch.full((2,), 2**40, dtype=torch.int32)
torch.full((2,), 1e40)
torch.full((2,), float("inf")), torch.full((2,), float("nan"))
torch.full((2,), float("inf"), dtype=torch.int64)
torch.full((2,), float("nan"), dtype=torch.int16)
torch.ones(2).fill_(1e40)
torch.ones(2, dtype=torch.uint8).masked_fill_(T([True, False]), 300)
torch.ones(2, dtype=torch.uint8).index_fill_(0, T([0]), 300)
torch.ones(2, dtype=torch.uint8).scatter_(0, T([0]), 300)
torch.ones(2, dtype=torch.int8).clamp(max=300)
torch.where(T([True, False]), T([1, 2], dtype=torch.uint8), 300)
torch.where(T([True, False]), 300, T([1, 2], dtype=torch.uint8))
F.pad(torch.ones(2), (1, 1), value=1e40)
x = torch.zeros(3, dtype=torch.uint8); x[0] = 300; x
x = torch.zeros(3); x[[0]] = 1e40; x
torch.ones(2, dtype=torch.uint8) + 300, torch.ones(2) * 1e40, torch.ones(2) > 1e40
torch.add(T([1], dtype=torch.int8), T([1], dtype=torch.int8), alpha=200)
torch.add(T([True]), T([True]), alpha=2), torch.add(T([True]), True, alpha=2), torch.add(T([True]), 1, alpha=2)
x = T([False]); x.add_(T([True]), alpha=2); x
torch.add(T([1, 4], dtype=torch.uint8), T([True, False]), alpha=3), torch.sub(T([5], dtype=torch.int8), T([2]), alpha=2)
torch.sub(T([5]), T(True), alpha=2)
torch.rsub(T([True]), 5, alpha=2)
x = T([1], dtype=torch.int8); x.add_(T(300), alpha=2); x
T([2], dtype=torch.uint8) ** 300
torch.rsub(T([True]), T([True]))
T(True).add_(T([1.0, 2]))
T([2, 1, -1, -1, 0]) ** T([-1, -1, -1, -2, -1]), 2 ** T([-1]), T(2) ** T(-1)
x = T([2]); x.pow_(T([-1])); x
T([2]) ** -1
torch.lerp(T([1, 2]), T([3, 4]), 0.5)
torch.lerp(T([1.0, 2]), T([3, 4]), 0.5)
torch.lerp(T([1.0, 2]), T([3.0, 4]), T([0.5, 0.5]).double())
torch.lerp(T([1.0, 2]), T([3.0, 4]), T(0.5).double())
"""

FLAGS = """
torch.ones(2, 3).sum(0, 1)
torch.ones(2, 3).mean(0, keepdim=1)
torch.ones(2, 3).argmax(1, 1)
torch.ones(2, 3).topk(1, 0, 1, 1)
torch.ones(2, requires_grad=1)
torch.ones(2).requires_grad_(1)
torch.ones(2).std(0, unbiased=0)
torch.ones(2).std(0, keepdim=np.bool_(True))
torch.isclose(T([1.0]), T([1.0]), equal_nan=1)
F.relu(torch.ones(2), None), F.silu(torch.ones(2), 1)
"""

INDEXING = """
x = torch.zeros(3); x[[0, 1]] = T([1, 2]); x
x = torch.zeros(3, dtype=torch.long); x[[0]] = T([1.7]); x
x = torch.zeros(3); x[x == 0] = T([1, 2, 3]); x
x = torch.zeros(3); x[x == 0] = T([2]); x
x = torch.zeros(3); x[T(0)] = T([2]); x
x = torch.zeros(3, 3); x[:, [0]] = T(2); x
x = torch.zeros(3, 3); x[1:, 0] = T([2, 3]); x
torch.zeros(2, 2)[[[0, 1], [1, 0]]]
torch.arange(4).reshape(2, 2)[[slice(0, 1), 1]]
torch.zeros(2)[T([0, 1], dtype=torch.uint8)]
T(5)[:]
x = T(5); x[0] = 1; x
x = T(5); x[0:1] = 1; x
x = torch.zeros(2); x.__delitem__(0)
x = torch.zeros(2); x[False] = torch.ones(3); x
torch.zeros(3).scatter(0, T([0, 1, 2]), T(1.0))
torch.zeros(3).scatter_(0, T([1]), T(1.0)), torch.zeros(()).scatter(0, T([0]), T([1.0]))
torch.zeros(3).scatter_add(0, T([0, 1]), T(1.0))
torch.zeros(2, 3).scatter(0, T([[0, 1, 1, 1]]), 1.0)
torch.zeros(2, 3).gather(0, T([[0, 1, 1, 1]]))
torch.searchsorted(T([1, 2, 3]), T([1]), sorter=T([0, 1]))
torch.searchsorted(T([1, 2, 3]), T([1]), sorter=T([0.0, 1, 2]))
"""

LOSSES = """
F.one_hot(T([0, 2]), 2)
F.one_hot(T([0, 2]), 0)
F.one_hot(T([0, 2]), 4)
F.mse_loss(T([1.0]), T([1.0]), reduction=None)
F.nll_loss(T([[1.0, 2]]), T([1]), reduction=3)
F.cross_entropy(T([[1.0, 2]]), T([1]), reduction=[1])
F.cross_entropy(T([[1.0, 2]]), T([0]), weight=T([1, 1]))
F.nll_loss(T([[1.0, 2]]), T([0]), weight=T([1.0, 1]).double())
F.binary_cross_entropy(T([0.3]), T([1]))
F.binary_cross_entropy(T([0.3]), T([1.0]).double())
F.binary_cross_entropy_with_logits(T([0.3]), T([1]))
F.binary_cross_entropy_with_logits(T([0.3]), T([True]))
F.binary_cross_entropy_with_logits(T([1]), T([1.0]))
F.pad(None, (1, 1))
F.pad(torch.ones(2), 1)
F.pad(torch.ones(2), (1, 1), None)
F.kl_div(T([0.3]), T([1]))
F.relu6(T([True]))
F.bilinear(torch.ones(2, 2), None, torch.ones(2, 2, 2))
import inspect; list(inspect.signature(F.leaky_relu).parameters)
F.adaptive_avg_pool2d(torch.ones(5), 2)
F.adaptive_max_pool2d(torch.ones(2, 5, 5), (None, 2)).shape
nn.LSTM(2, 3)(torch.ones(1, 1, 2).double())
"""

PRODUCTS = """
F.linear(torch.ones(4, 2).double(), torch.ones(3, 2), torch.ones(3))
F.linear(torch.ones(4, 2), torch.ones(3, 2), torch.ones(3).double())
F.linear(torch.ones(4, 2).double(), torch.ones(3, 2))
torch.addmm(torch.ones(2).double(), torch.ones(2, 2), torch.ones(2, 2))
torch.bmm(torch.ones(1, 2, 2), torch.ones(1, 2, 2).double())
torch.ones(2, 2) @ torch.ones(2).double()
torch.ones(2) @ torch.ones(2).double()
torch.ones(1, 2, 2) @ torch.ones(1, 2, 2).double()
torch.einsum(torch.ones(2, 3), [0, 1], torch.ones(3, 4), [1, 2], [0, 2]), torch.einsum(T([1.0, 2]), [7], T([3.0]), [30])
torch.einsum(torch.arange(8.0).view(2, 2, 2), [..., 0, 1], torch.ones(2), [1])
torch.einsum("ij")
torch.einsum()
torch.einsum(3)
torch.einsum("ij", 3)
torch.einsum("ij,jk", torch.ones(2, 2), None)
torch.einsum(torch.ones(2), [52])
"""

WRITING = """
o = torch.empty(3); torch.add(T([1.0, 2]), 1, out=o), o
o = torch.empty(1); torch.sum(T([[1.0, 2]]), 0, out=o), o
x = torch.ones(1, 2); o = torch.ones(2, 2); torch.add(x, o, out=x)
o = (torch.empty(0), torch.empty(0, dtype=torch.long)); tuple(torch.max(T([[1.0, 2]]), 1, out=o)), tuple(torch.min(T([1.0, 2]), 0, out=o))
x = torch.ones(2, requires_grad=True); y = x * 1; y.eq_(1); y.sum().backward(); x.grad, y.grad_fn.name()
x = torch.ones(2, requires_grad=True); y = x * 1; y.gt_(T([0.0, 2])); y.sum().backward(); x.grad, y.grad_fn.name(), y
x = torch.ones(2, requires_grad=True); (x * 1).fill_(1).grad_fn.name(), (x * 1).fill_(T(1.0)).grad_fn.name()
torch.var(T([1.0])), torch.std(torch.ones(3, 1), 1)
torch.std_mean(torch.ones(1)), torch.var(torch.ones(2), correction=2)
torch.zeros(3).put_(T([0]), T([1.0, 2]))
torch.zeros(3).index_copy(0, T([0.0]), T([1.0]))
p = nn.Parameter(torch.ones(1)); p.grad = torch.ones(1); s = torch.optim.SGD([p], 0.1); s.register_step_post_hook(lambda o, a, k: l.append((a, k))); l = []; s.step(); l
"""

OPERANDS = """
torch.eq(T([1, 2]), None)
T([1, 2]).eq("a")
torch.lt(T([1]))
T([1.0]).floor_divide(None)
torch.pow(T([1.0]), "a")
torch.remainder(T([1.0]), [1])
torch.add(T([1.0]), "a")
torch.linspace(0, 1)
torch.linspace(T([0.0]), 1, 2)
torch.logspace(0, T([1.0, 2.0]), 2)
torch.linspace(T(0), T(1.0), 3), torch.logspace(T(0.0), 1, 2)
torch.ones(3).narrow(0, T(1), 1)
torch.zeros(2).put_(T([0.0]), T([1.0, 2]))
torch.tensordot(torch.ones(2, 2), torch.ones(2, 2), "ab").shape
torch.tensordot(torch.ones(2, 2), torch.ones(2, 2), None)
torch.rand()
torch.randn(None)
torch.eye("a")
torch.eye()
torch.narrow(torch.ones(2), 0, "a", 1)
torch.lerp(torch.ones(2), 3, 0.5)
torch.Tensor.view(None, 2)
torch.movedim(torch.ones(2, 3, 4), (0, -3), (1, 2))
torch.movedim(torch.ones(2, 3, 4), (0, 1), (1, 1))
x = torch.ones(2, requires_grad=True); torch.autograd.grad([x * 2, x * 3], [x], [torch.ones(2)])
torch.mul(T([1.0]), None)
torch.relu(T([True]))
F.gelu(T([1]))
torch.round(T([True]))
T([1.0]) << 1
T([True]) // T([True])
T([True]) ** T([True])
torch.bitwise_and(torch.ones(2), torch.ones(3))
"""


# What is drawn, and the state that is left: float32 and float64, below 16 numbers and above.
RANDOM = """
torch.rand(3), torch.rand(20, dtype=torch.float64), torch.randn(15), torch.randn(17), torch.randn(16, dtype=torch.float64)
torch.randint(0, 2**40, (3,)), torch.randint(5, (20,), dtype=torch.uint8), torch.randperm(20), torch.randperm(5, dtype=torch.int32)
torch.rand(2, generator=torch.Generator().manual_seed(3)), torch.normal(0.5, 2.0, (17,)), torch.normal(torch.arange(3.0), 2)
F.dropout(torch.ones(20), 0.3), F.dropout(torch.ones(8, dtype=torch.float64), 0.7), F.alpha_dropout(torch.ones(5), 0.5, True), torch.rand(1)
nn.Dropout2d(0.5)(torch.ones(2, 3, 2, 2)), F.feature_alpha_dropout(torch.ones(2, 3, 2), 0.5, True), F.gumbel_softmax(torch.randn(20, 5))[3]
nn.init.kaiming_uniform_(torch.empty(20, 20, dtype=torch.float64))[0], nn.init.xavier_normal_(torch.empty(20, 20, dtype=torch.float64))[0]
nn.init.trunc_normal_(torch.empty(4, 5), mean=1, std=0.5, a=0, b=1.5), nn.init.sparse_(torch.empty(4, 3), 0.5), nn.init.orthogonal_(torch.empty(3, 4))
nn.Linear(20, 30, dtype=torch.float64).weight.sum(), nn.Bilinear(2, 3, 4).weight.sum(), nn.Conv1d(3, 4, 3).bias, nn.GRU(3, 4).bias_hh_l0
nn.MultiheadAttention(4, 2).in_proj_weight, nn.TransformerEncoderLayer(4, 2, 8).linear1.weight.sum(), nn.LSTM(2, 3, 2).weight_hh_l1
list(data.DataLoader(torch.arange(10), 4, True)), list(data.DataLoader(range(7), 3, True, generator=torch.Generator().manual_seed(5))), torch.rand(1)
list(data.RandomSampler(range(5), replacement=True, num_samples=7)), list(data.WeightedRandomSampler([0.1, 0.9], 5)), list(data.SubsetRandomSampler([3, 4, 5]))
data.random_split(range(10), [0.3, 0.7])[0].indices, torch.multinomial(T([[0.1, 0.9], [0.5, 0.5]]), 2), torch.bernoulli(T([0.1, 0.9]))
"""

PROGRAMS = [
    line
    for topic in (CORE, NUMBERS, FLAGS, INDEXING, LOSSES, PRODUCTS, WRITING, OPERANDS, RANDOM)
    for line in topic.strip().split("\n")
]
