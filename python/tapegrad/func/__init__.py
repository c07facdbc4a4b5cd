"""Transformations of functions: derivatives, batches, and modules as functions of their parameters.

They nest in any order::

    per_sample = vmap(grad(loss), in_dims=(None, 0, 0))(params, inputs, targets)
    hessians = vmap(hessian(f))(points)
"""

from __future__ import annotations

from .functional_call import functional_call, replace_all_batch_norm_modules_, stack_module_state
from .transforms import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp
from .vmap import vmap

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]
