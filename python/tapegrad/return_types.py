"""The named tuples that operations return, such as ``return_types.max``."""

from . import _C

globals().update(_C._return_types)
__all__ = sorted(_C._return_types)  # noqa: PLE0605
