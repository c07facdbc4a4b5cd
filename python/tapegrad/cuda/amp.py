"""The older names of tapegrad.amp."""

from ..amp import GradScaler, autocast

__all__ = ["GradScaler", "autocast"]
