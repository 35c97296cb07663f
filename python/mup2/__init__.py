"""µP²: learning rates and radii of sharpness-aware minimization that transfer with the width.

`mup2.scaling` gives the numbers as plain dictionaries, for any framework. `mup2.torch` puts them to
work on PyTorch models; it is imported on its own and needs PyTorch, which nothing else here does.
"""

from mup2 import scaling
from mup2._native import InvalidInput, version

__all__ = ["InvalidInput", "__version__", "scaling"]

__version__ = version()
