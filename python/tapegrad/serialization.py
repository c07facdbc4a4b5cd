"""save and load: Python objects with tensors in a file, in the format of PyTorch's checkpoints.

The file is a zip archive of a pickle, in which tensors refer to storages by number, and of the bytes of the
storages. Tensors that share memory share it again after loading. Files of tensors and plain containers move
between the two libraries.
"""

from __future__ import annotations

import collections
import contextlib
import io
import os
import pickle
import types
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from . import _C, _device, _tensor

__all__ = ["add_safe_globals", "clear_safe_globals", "get_safe_globals", "load", "safe_globals", "save"]


# What stands in the pickle for PyTorch's names


class _StorageType:
    """The class of a storage in the pickle, torch.FloatStorage: says the type of its elements."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype


def _rebuild_tensor_v2(
    storage: tuple[_C.Tensor, Any],
    offset: int,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
    backward_hooks: Any,
    metadata: Any = None,
) -> _C.Tensor:
    memory, dtype = storage
    return _C._rebuild(memory, dtype, offset, shape, stride).requires_grad_(requires_grad)


def _rebuild_parameter(data: _C.Tensor, requires_grad: bool, backward_hooks: Any) -> Any:
    from .nn import Parameter

    return Parameter(data, requires_grad)


def _rebuild_parameter_with_state(
    data: _C.Tensor, requires_grad: bool, backward_hooks: Any, state: Any
) -> Any:
    parameter = _rebuild_parameter(data, requires_grad, backward_hooks)
    parameter.__dict__.update(state)
    return parameter


_STORAGES = {
    "FloatStorage": _StorageType(_C.float32),
    "DoubleStorage": _StorageType(_C.float64),
    "LongStorage": _StorageType(_C.int64),
    "IntStorage": _StorageType(_C.int32),
    "ShortStorage": _StorageType(_C.int16),
    "CharStorage": _StorageType(_C.int8),
    "ByteStorage": _StorageType(_C.uint8),
    "BoolStorage": _StorageType(_C.bool),
    "HalfStorage": _StorageType(_C.float16),
    "BFloat16Storage": _StorageType(_C.bfloat16),
}
_STORAGE_OF = {storage.dtype: storage for storage in _STORAGES.values()}

_NAMES: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter_with_state,
    ("torch", "Size"): _C.Size,
    ("torch", "device"): _device.device,
    **{("torch", name): storage for name, storage in _STORAGES.items()},
    **{
        ("torch", name): value
        for name, value in vars(_C).items()
        if isinstance(value, _C.dtype) and str(value) == f"torch.{name}"
    },
}
_NAME_OF = {id(value): name for name, value in _NAMES.items()}

# What a file may name when weights_only is set: nothing that runs code of its choice.
_SAFE: dict[tuple[str, str], Any] = {
    **_NAMES,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): collections.defaultdict,
    ("collections", "Counter"): collections.Counter,
    **{
        (module, kind.__name__): kind
        for module in ("builtins", "__builtin__")  # the second in pickles of protocol 2
        for kind in (
            list,
            dict,
            set,
            frozenset,
            tuple,
            int,
            float,
            bool,
            str,
            slice,
            range,
            complex,
            bytearray,
        )
    },
    ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),  # bytes in pickles of protocol 2
    ("tapegrad._tensor", "_rebuild_tensor"): _tensor._rebuild_tensor,
}
_user_safe: dict[tuple[str, str], Any] = {}


def _global_name(value: Any) -> tuple[str, str]:
    return value.__module__, value.__qualname__


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Lets files that are loaded with weights_only=True name these classes and functions."""
    for value in safe_globals:
        if isinstance(value, tuple):
            value, path = value
            module, _, name = path.rpartition(".")
            _user_safe[module, name] = value
        else:
            _user_safe[_global_name(value)] = value


def get_safe_globals() -> list[Any]:
    """What add_safe_globals added."""
    return list(_user_safe.values())


def clear_safe_globals() -> None:
    """Forgets what add_safe_globals added."""
    _user_safe.clear()


@contextlib.contextmanager
def safe_globals(safe_globals: list[Any]) -> Iterator[None]:
    """add_safe_globals for a ``with`` block."""
    before = dict(_user_safe)
    try:
        add_safe_globals(safe_globals)
        yield
    finally:
        _user_safe.clear()
        _user_safe.update(before)


# Saving


class _StorageReference:
    """Stands for a storage in what reducer_override returns; the pickler turns it into a persistent id."""

    def __init__(self, identity: tuple[Any, ...]) -> None:
        self.identity = identity


_PythonPickler: Any = pickle._Pickler


class _Pickler(_PythonPickler):
    """Writes tensors and types under PyTorch's names, and gathers the storages.

    The pickler in Python and not the one in C, because that writes only names that can be imported.
    """

    dispatch = dict(_PythonPickler.dispatch)

    def __init__(self, file: IO[bytes], protocol: int) -> None:
        super().__init__(file, protocol)
        self.storages: list[_C.Tensor] = []
        self._numbers: dict[int, tuple[str, Any]] = {}

    def persistent_id(self, obj: Any) -> Any:
        return obj.identity if type(obj) is _StorageReference else None

    def save_global(self, obj: Any, name: str | None = None) -> None:
        known = _NAME_OF.get(id(obj))
        if known is None:
            return super().save_global(obj, name)
        self.write(pickle.GLOBAL + f"{known[0]}\n{known[1]}\n".encode())
        self.memoize(obj)
        return None

    dispatch[types.FunctionType] = save_global
    dispatch[_StorageType] = save_global

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is _device.device:
            return _device.device, (obj.type,) if obj.index is None else (obj.type, obj.index)
        if type(obj) is _C.Size:
            return _C.Size, (tuple(obj),)
        if not isinstance(obj, _C.Tensor):
            return NotImplemented
        if type(obj) is _C.Tensor:
            geometry: tuple[Any, ...] = (obj.storage_offset(), tuple(obj.shape), obj.stride())
            arguments = (self._reference(obj), *geometry, obj.requires_grad, collections.OrderedDict())
            return _rebuild_tensor_v2, arguments
        if (
            type(obj).__name__ == "Parameter"
            and not obj.__dict__
            and type(obj).__module__.startswith(__package__)
        ):
            return _rebuild_parameter, (obj.detach(), obj.requires_grad, collections.OrderedDict())
        return NotImplemented

    def _reference(self, tensor: _C.Tensor) -> _StorageReference:
        memory = _C._storage_bytes(tensor)
        address = memory.data_ptr()
        number, dtype = self._numbers.setdefault(address, (str(len(self.storages)), tensor.dtype))
        if int(number) == len(self.storages):
            self.storages.append(memory)  # also keeps the address from being used again
        if dtype is not tensor.dtype:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different types: "
                f"{dtype} and {tensor.dtype}; save tensor.clone()"
            )
        elements = memory.numel() // tensor.element_size()
        return _StorageReference(("storage", _STORAGE_OF[dtype], number, "cpu", elements))


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Writes an object with tensors to a path or a file object; `load` reads it, and so does PyTorch."""
    if isinstance(f, (str, os.PathLike)):
        folder = os.path.dirname(os.fspath(f))
        if folder and not os.path.isdir(folder):
            raise RuntimeError(f"Parent directory {folder} does not exist.")
    elif not hasattr(f, "write"):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute"
        )
    text = io.BytesIO()
    pickler = _Pickler(text, pickle_protocol)
    pickler.dump(obj)
    with zipfile.ZipFile(f, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", text.getbuffer())
        archive.writestr("archive/byteorder", "little")
        for number, memory in enumerate(pickler.storages):
            with archive.open(f"archive/data/{number}", "w", force_zip64=memory.numel() >= 2**31) as entry:
                entry.write(memoryview(memory))
        archive.writestr("archive/version", "3\n")


# Loading


class _Unpickler(pickle.Unpickler):
    def __init__(
        self, file: IO[bytes], read_storage: Callable[[Any], Any], weights_only: bool, encoding: str
    ) -> None:
        super().__init__(file, encoding=encoding)
        self._read_storage = read_storage
        self._weights_only = weights_only

    def persistent_load(self, pid: Any) -> Any:
        return self._read_storage(pid)

    def find_class(self, module: str, name: str) -> Any:
        known = _user_safe.get((module, name), _SAFE.get((module, name)))
        if known is not None:
            return known
        if self._weights_only:
            raise pickle.UnpicklingError(
                "Weights only load failed. This file can still be loaded, do so only if you trust its source:"
                f" it names {module}.{name}, and loading an object of that class can run any code. Pass "
                f"weights_only=False, or allow the name with torch.serialization.add_safe_globals([{name}])."
            )
        return super().find_class(module, name)


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    encoding: str = "utf-8",
    **pickle_load_args: Any,
) -> Any:
    """Reads what `save` of this library or of PyTorch wrote to a path or a seekable file object.

    weights_only: refuse files that name classes other than tensors, types and plain containers (the default);
    with False, loading runs what code the file asks for. map_location: everything is loaded to the CPU.
    """
    _check_location(map_location)
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return _load_file(file, weights_only is not False, encoding)
    if not hasattr(f, "seek"):
        raise AttributeError(
            f"'{type(f).__name__}' object has no attribute 'seek'. You can only torch.load from a file that "
            "is seekable. Please pre-load the data into a buffer like io.BytesIO and load from it instead."
        )
    return _load_file(f, weights_only is not False, encoding)


def _check_location(map_location: Any) -> None:
    if isinstance(map_location, (str, _device.device)):
        _device._need_cpu(map_location)
    elif isinstance(map_location, dict):
        for target in map_location.values():
            _device._need_cpu(target)


def _load_file(file: Any, weights_only: bool, encoding: str) -> Any:
    start = file.tell()
    if file.read(1) == b"":
        raise EOFError("Ran out of input: the file is empty")
    file.seek(start)
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        file.seek(start)
        if file.read(2) == b"PK":
            raise RuntimeError(
                f"PytorchStreamReader failed reading zip archive: {error}; the file is damaged"
            ) from error
        raise pickle.UnpicklingError(
            "Weights only load failed. The file was not written by torch.save, or before PyTorch 1.6."
        ) from error
    with archive:
        return _load_archive(archive, weights_only, encoding)


def _load_archive(archive: zipfile.ZipFile, weights_only: bool, encoding: str) -> Any:
    names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if not names:
        raise RuntimeError("PytorchStreamReader failed locating file data.pkl: file not found")
    folder = names[0].removesuffix("data.pkl")
    if folder + "byteorder" in archive.namelist() and archive.read(folder + "byteorder") != b"little":
        raise RuntimeError("the file holds big-endian numbers, which cannot be read here")
    storages: dict[str, _C.Tensor] = {}

    def read_storage(identity: Any) -> Any:
        _, storage_type, number, _, _ = identity
        if number not in storages:
            storages[number] = _read_bytes(archive, f"{folder}data/{number}")
        return storages[number], storage_type.dtype

    return _Unpickler(io.BytesIO(archive.read(names[0])), read_storage, weights_only, encoding).load()


def _read_bytes(archive: zipfile.ZipFile, name: str) -> _C.Tensor:
    try:
        size = archive.getinfo(name).file_size
        memory = _C.empty(size, dtype=_C.uint8)
        with archive.open(name) as entry:
            target, read = memoryview(memory), 0
            while read < size:
                count = entry.readinto(target[read:])  # type: ignore[attr-defined]
                if not count:
                    raise EOFError(f"{name} ends after {read} of {size} bytes")
                read += count
    except (KeyError, zipfile.BadZipFile, EOFError) as error:
        raise RuntimeError(
            f"PytorchStreamReader failed reading file {name}: {error}; the file is damaged"
        ) from error
    return memory
