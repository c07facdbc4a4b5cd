"""oneDNN is not used: its switches may be set and have no effect."""

enabled = False


def is_available() -> bool:
    """False."""
    return False
