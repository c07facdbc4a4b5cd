"""Anomaly mode: errors and NaN in a backward pass name the Python lines of the forward operation."""

from __future__ import annotations

from .. import _C

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class set_detect_anomaly:
    """Switches anomaly mode on or off: at once when called, as a context manager until the end of the block.

    In the mode each operation remembers the lines that recorded it. An error in its backward is preceded by a
    warning with their traceback, and (with `check_nan`) a NaN that it computes is a RuntimeError.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.prev = _C.is_anomaly_enabled()
        self.prev_check_nan = _C.is_anomaly_check_nan_enabled()
        _C._set_anomaly_mode(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *args: object) -> None:
        _C._set_anomaly_mode(self.prev, self.prev_check_nan)


class detect_anomaly:
    """Anomaly mode for a block; see set_detect_anomaly. For finding errors only: it slows programs down."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan

    def __enter__(self) -> None:
        self.prev = _C.is_anomaly_enabled()
        self.prev_check_nan = _C.is_anomaly_check_nan_enabled()
        _C._set_anomaly_mode(True, self.check_nan)

    def __exit__(self, *args: object) -> None:
        _C._set_anomaly_mode(self.prev, self.prev_check_nan)
