"""The version, and the versions of libraries that are not used."""

from ._C import __version__ as __version__

cuda = None
hip = None
xpu = None
debug = False
