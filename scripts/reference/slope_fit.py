"""The slope fit of the coordinate check by numpy's least squares: one slope, an intercept a seed.

    python3 scripts/reference/slope_fit.py

prints slope and standard error of the three cases in crates/mup2-train/src/check/tests.rs. Needs numpy.
"""

import numpy as np


def fit(seeds, widths, values):
    x, y = np.log(widths), np.log(values)
    kinds = sorted(set(seeds))
    intercepts = [[float(seed == kind) for seed in seeds] for kind in kinds]
    design = np.column_stack([x, *intercepts])
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    residual = y - design @ coefficients
    variance = residual @ residual / (len(x) - len(kinds) - 1)
    return coefficients[0], np.sqrt(variance * np.linalg.inv(design.T @ design)[0, 0])


widths = [64, 64, 128, 128, 256, 256, 512, 512]
values = [1.0, 1.1, 0.7, 0.8, 0.5, 0.45, 0.36, 0.33]
print("one seed:  ", *fit([0] * 8, widths, values))
print("two seeds: ", *fit([0, 1] * 4, widths, values))
print("unbalanced:", *fit([0, 0, 0, 1, 1], [64, 128, 256, 64, 512], [1, 0.7, 0.5, 3, 1.1]))
