"""no_grad, enable_grad, set_grad_enabled, inference_mode: context managers that also decorate functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from .. import _C

Function = TypeVar("Function", bound=Callable[..., Any])
_CO_GENERATOR = 0x20  # inspect.CO_GENERATOR, without the time that importing inspect takes


def _decorate(make: Callable[[], Any], function: Function) -> Function:
    """`function` (also a generator function, or every method of a class) run inside the context of make()."""
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & _CO_GENERATOR:

        @functools.wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Any:
            # The caller's mode is in force while the generator waits, so the context is left at each yield.
            with make():
                generator = function(*args, **kwargs)
                advance: Callable[[], Any] = functools.partial(next, generator)
            while True:
                try:
                    with make():
                        value = advance()
                except StopIteration as end:
                    return end.value
                try:
                    received = yield value
                except GeneratorExit:
                    with make():
                        generator.close()
                    raise
                except BaseException as error:
                    advance = functools.partial(generator.throw, error)
                else:
                    advance = functools.partial(generator.send, received)

        return generate  # type: ignore[return-value]

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with make():
            return function(*args, **kwargs)

    return run  # type: ignore[return-value]


class no_grad(_C._no_grad):
    """Operations inside are not recorded; ``with no_grad():``, ``@no_grad()`` or ``@no_grad``."""

    __slots__ = ()

    def __call__(self, function: Function) -> Function:
        return _decorate(type(self), function)


class enable_grad(_C._enable_grad):
    """Operations inside are recorded, also within no_grad."""

    __slots__ = ()

    def __call__(self, function: Function) -> Function:
        return _decorate(type(self), function)


class set_grad_enabled(_C._set_grad_enabled):
    """Switches recording on or off: at once when called, as a context manager until the end of the block."""

    __slots__ = ()

    def __call__(self, function: Function) -> Function:
        self._restore()
        return _decorate(functools.partial(type(self), self.mode), function)


class inference_mode(_C._inference_mode):
    """Like no_grad; in PyTorch the tensors made inside can never be recorded later."""

    __slots__ = ()

    def __call__(self, function: Function) -> Function:
        return _decorate(functools.partial(type(self), self.mode), function)
