"""The parts of nn.functional, one file per family."""
