"""µP²: learning rates and radii of sharpness-aware minimization that transfer with the width.

`mup2.scaling` gives the numbers as plain dictionaries, for any framework. `mup2.torch` puts them to
work on PyTorch models; it is imported on its own and needs PyTorch, which nothing else here does.
`report` makes a transfer map of runs, whatever trained them.
"""

from mup2 import scaling
from mup2._native import InvalidInput, version
from mup2.runs import Report, report

__all__ = ["InvalidInput", "Report", "__version__", "report", "scaling"]

__version__ = version()
