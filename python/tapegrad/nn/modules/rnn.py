"""Recurrent layers: RNN, LSTM, GRU and their cells."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ... import _C
from ..._C import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from .module import Module

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNBase", "RNNCell", "RNNCellBase"]

State = tuple[Tensor, ...]  # (h,), or (h, c) of an LSTM


def _tanh_step(projected: Tensor, state: State, w_hh: Tensor, b_hh: Any, w_hr: Any = None) -> State:
    return (_C.tanh(projected + F.linear(state[0], w_hh, b_hh)),)


def _relu_step(projected: Tensor, state: State, w_hh: Tensor, b_hh: Any, w_hr: Any = None) -> State:
    return (_C.relu(projected + F.linear(state[0], w_hh, b_hh)),)


def _lstm_step(projected: Tensor, state: State, w_hh: Tensor, b_hh: Any, w_hr: Any = None) -> State:
    """Hochreiter & Schmidhuber (1997), with forget gate; `w_hr` projects the output (Sak et al., 2014)."""
    hidden, cell = state
    gates = projected + F.linear(hidden, w_hh, b_hh)
    into, forget, candidate, out = gates.chunk(4, -1)
    cell = _C.sigmoid(forget) * cell + _C.sigmoid(into) * _C.tanh(candidate)
    hidden = _C.sigmoid(out) * _C.tanh(cell)
    return (hidden if w_hr is None else F.linear(hidden, w_hr)), cell


def _gru_step(projected: Tensor, state: State, w_hh: Tensor, b_hh: Any, w_hr: Any = None) -> State:
    """Cho et al. (2014), with the reset gate applied after the matrix product."""
    hidden = state[0]
    reset_x, update_x, new_x = projected.chunk(3, -1)
    reset_h, update_h, new_h = F.linear(hidden, w_hh, b_hh).chunk(3, -1)
    reset = _C.sigmoid(reset_x + reset_h)
    update = _C.sigmoid(update_x + update_h)
    new = _C.tanh(new_x + reset * new_h)
    return ((hidden - new) * update + new,)


# mode: (step function, number of gates)
_MODES = {
    "RNN_TANH": (_tanh_step, 1),
    "RNN_RELU": (_relu_step, 1),
    "LSTM": (_lstm_step, 4),
    "GRU": (_gru_step, 3),
}


def _one_direction(
    mode: str, data: Tensor, batch_sizes: list[int], state: State, weights: list[Any], reverse: bool
) -> tuple[Tensor, State]:
    """Run one layer in one direction over packed `data`; return the packed outputs and the last state.

    Sequences are sorted by length: forward, the shortest leave the batch; in reverse they join it.
    """
    step_function = _MODES[mode][0]
    w_ih, w_hh, b_ih, b_hh, w_hr = weights
    steps = list(F.linear(data, w_ih, b_ih).split(batch_sizes))
    start = state
    count = batch_sizes[-1] if reverse else batch_sizes[0]
    state = tuple(part[:count] for part in start)
    finished: list[State] = []
    outputs = []
    for step in reversed(steps) if reverse else steps:
        size = step.size(0)
        if size < count:
            finished.append(tuple(part[size:] for part in state))
            state = tuple(part[:size] for part in state)
        elif size > count:
            state = tuple(_C.cat([part, first[count:size]]) for part, first in zip(state, start))
        count = size
        state = step_function(step, state, w_hh, b_hh, w_hr)
        outputs.append(state[0])
    if finished:
        pieces = [state, *reversed(finished)]
        state = tuple(_C.cat([piece[i] for piece in pieces]) for i in range(len(state)))
    return _C.cat(outputs[::-1] if reverse else outputs), state


class RNNBase(Module):
    """Layers, directions and weights of RNN, LSTM and GRU."""

    __constants__ = [
        "mode",
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    ]

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options(dropout)
        self._all_weights: list[list[str]] = []
        gates = _MODES[mode][1] * hidden_size
        output_size = proj_size or hidden_size
        for layer in range(num_layers):
            layer_input = input_size if layer == 0 else output_size * (2 if bidirectional else 1)
            for suffix in self._suffixes():
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (gates, layer_input),
                    "weight_hh": (gates, output_size),
                }
                if bias:
                    shapes.update(bias_ih=(gates,), bias_hh=(gates,))
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = []
                for kind, shape in shapes.items():
                    names.append(f"{kind}_l{layer}{suffix}")
                    self.register_parameter(names[-1], Parameter(_C.empty(shape, device=device, dtype=dtype)))
                self._all_weights.append(names)
        self.reset_parameters()

    def _suffixes(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def _check_options(self, dropout: Any) -> None:
        is_number = isinstance(dropout, int | float) and not isinstance(dropout, bool)
        if not is_number or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being "
                "zeroed"
            )
        if self.dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={self.dropout} and num_layers={self.num_layers}",
                stacklevel=4,
            )
        for name in ("input_size", "hidden_size"):
            value = getattr(self, name)
            if not isinstance(value, int):
                raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
        for name in ("hidden_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")

    def reset_parameters(self) -> None:
        """Draw all weights from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: weights need no special layout on the CPU."""

    @property
    def all_weights(self) -> list[list[Any]]:
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def _state_sizes(self, batch: int) -> list[tuple[int, int, int]]:
        rows = self.num_layers * len(self._suffixes())
        sizes = [(rows, batch, self.proj_size or self.hidden_size)]
        return [*sizes, (rows, batch, self.hidden_size)] if self.mode == "LSTM" else sizes

    def _check_state(self, state: State, sizes: list[tuple[int, int, int]]) -> None:
        for i, (part, size) in enumerate(zip(state, sizes, strict=True)):
            if tuple(part.shape) != size:
                which = f"hidden[{i}]" if self.mode == "LSTM" else "hidden"
                raise RuntimeError(f"Expected {which} size {size}, got {list(part.shape)}")

    def _check_input(self, input: Tensor) -> None:
        weight = self.weight_ih_l0
        if input.dtype != weight.dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: model.to({input.dtype})"
            )
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, "
                f"got {input.size(-1)}"
            )

    def _run(self, data: Tensor, batch_sizes: list[int], state: State) -> tuple[Tensor, State]:
        """All layers over packed data."""
        last: list[State] = []
        directions = len(self._suffixes())
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                row = layer * directions + direction
                weights = self._step_weights(self._all_weights[row])
                start = tuple(part[row] for part in state)
                output, final = _one_direction(self.mode, data, batch_sizes, start, weights, direction == 1)
                outputs.append(output)
                last.append(final)
            data = outputs[0] if directions == 1 else _C.cat(outputs, -1)
            if self.dropout and layer < self.num_layers - 1:
                data = F.dropout(data, self.dropout, self.training)
        return data, tuple(_C.stack([final[i] for final in last]) for i in range(len(state)))

    def _step_weights(self, names: list[str]) -> list[Any]:
        """w_ih, w_hh, b_ih, b_hh, w_hr with None for what the layer does not have."""
        w_ih, w_hh, *rest = (getattr(self, name) for name in names)
        b_ih, b_hh = rest[:2] if self.bias else (None, None)
        return [w_ih, w_hh, b_ih, b_hh, rest[-1] if self.proj_size else None]

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        given = hx if hx is None or isinstance(hx, tuple) else tuple(hx) if self.mode == "LSTM" else (hx,)
        if isinstance(input, PackedSequence):
            output, state = self._forward_packed(input, given)
        else:
            output, state = self._forward_padded(input, given)
        return output, state if self.mode == "LSTM" else state[0]

    def _forward_packed(self, input: PackedSequence, hx: State | None) -> tuple[Any, State]:
        self._check_input(input.data)
        batch_sizes = input.batch_sizes.tolist()
        sizes = self._state_sizes(batch_sizes[0])
        if hx is None:
            hx = tuple(input.data.new_zeros(size) for size in sizes)
        else:
            self._check_state(hx, sizes)
            if input.sorted_indices is not None:
                hx = tuple(part.index_select(1, input.sorted_indices) for part in hx)
        data, state = self._run(input.data, batch_sizes, hx)
        if input.unsorted_indices is not None:
            state = tuple(part.index_select(1, input.unsorted_indices) for part in state)
        return input._with_data(data), state

    def _forward_padded(self, input: Tensor, hx: State | None) -> tuple[Any, State]:
        if input.dim() not in (2, 3):
            raise ValueError(f"{self._get_name()}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        self._check_input(input)
        batched = input.dim() == 3
        self._check_state_dims(hx, input.dim(), batched)
        if not batched:
            input = input.unsqueeze(1)
            hx = None if hx is None else tuple(part.unsqueeze(1) for part in hx)
        elif self.batch_first:
            input = input.transpose(0, 1)
        steps, batch, _ = input.shape
        sizes = self._state_sizes(batch)
        if hx is None:
            hx = tuple(input.new_zeros(size) for size in sizes)
        else:
            self._check_state(hx, sizes)
        data, state = self._run(input.reshape(steps * batch, -1), [batch] * steps, hx)
        output = data.view(steps, batch, -1)
        if not batched:
            return output.squeeze(1), tuple(part.squeeze(1) for part in state)
        return (output.transpose(0, 1) if self.batch_first else output), state

    def _check_state_dims(self, hx: State | None, dims: int, batched: bool) -> None:
        if hx is None or all(part.dim() == dims for part in hx):
            return
        kind = "batched" if batched else "unbatched"
        if self.mode == "LSTM":
            got = f"({hx[0].dim()}-D, {hx[1].dim()}-D) tensors"
            raise RuntimeError(f"For {kind} {dims}-D input, hx and cx should also be {dims}-D but got {got}")
        raise RuntimeError(
            f"For {kind} {dims}-D input, hx should also be {dims}-D but got {hx[0].dim()}-D tensor"
        )

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        defaults: list[tuple[str, Any]] = [
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        ]
        for name, default in defaults:
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(RNNBase):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), or relu with nonlinearity="relu".

    Arguments: input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
    dropout=0.0, bidirectional=False. Call with (input, h_0=zeros); returns (output, h_n).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            self.nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            self.nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if self.nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{self.nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__("RNN_" + self.nonlinearity.upper(), *args, **kwargs)


class LSTM(RNNBase):
    """Long short-term memory.

    Arguments: input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, proj_size=0. Call with (input, (h_0, c_0)=zeros); returns (output, (h_n, c_n)).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Gated recurrent unit.

    Arguments: input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False. Call with (input, h_0=zeros); returns (output, h_n).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """Weights of one recurrent step."""

    __constants__ = ["input_size", "hidden_size", "bias"]
    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(_C.empty((rows, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(_C.empty((rows, hidden_size), device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            value = Parameter(_C.empty(rows, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _step(self, mode: str, input: Tensor, state: State | None) -> State:
        if input.dim() not in (1, 2):
            raise ValueError(f"{self._get_name()}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {input.size(-1)} expected {self.input_size}"
            )
        parts = 2 if mode == "LSTM" else 1
        if state is None:
            state = (input.new_zeros((*input.shape[:-1], self.hidden_size)),) * parts
        for i, part in enumerate(state):
            if part.dim() != input.dim():
                raise ValueError(
                    f"{self._get_name()}: Expected hidden to be {input.dim()}D as the input, "
                    f"got {part.dim()}D instead"
                )
            if input.dim() == 2 and part.size(0) != input.size(0):
                raise RuntimeError(
                    f"Input batch size {input.size(0)} doesn't match hidden{i} batch size {part.size(0)}"
                )
        projected = F.linear(input, self.weight_ih, self.bias_ih)
        return _MODES[mode][0](projected, state, self.weight_hh, self.bias_hh)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={getattr(self, 'nonlinearity', '')}"
        return text


class RNNCell(RNNCellBase):
    """One step of an RNN: (input, h=zeros) -> h'."""

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step("RNN_" + self.nonlinearity.upper(), input, None if hx is None else (hx,))[0]


class LSTMCell(RNNCellBase):
    """One step of an LSTM: (input, (h, c)=zeros) -> (h', c')."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> State:
        return self._step("LSTM", input, hx)


class GRUCell(RNNCellBase):
    """One step of a GRU: (input, h=zeros) -> h'."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("GRU", input, None if hx is None else (hx,))[0]
