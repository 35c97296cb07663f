"""Numbers for the tests of the coordinate check, by NumPy (LAPACK's SVD, least squares).

    python3 scripts/reference/coordinate_check.py
"""

import numpy as np


def matrix(rows, columns):
    """Entries without structure that both programs can write down exactly."""
    i, j = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    return ((i * 7919 + j * 104729 + i * j * 31) % 1009 / 1009 - 0.5).astype(np.float32)


for rows, columns in [(3, 5), (40, 17), (17, 40), (64, 64)]:
    values = np.linalg.svd(matrix(rows, columns).astype(np.float64), compute_uv=False)
    print(f"{rows}x{columns}: largest singular value {values[0]!r}, next {values[1]!r}")

widths = np.array([64, 64, 128, 128, 256, 256, 512, 512], dtype=float)
values = np.array([1.0, 1.1, 0.7, 0.8, 0.5, 0.45, 0.36, 0.33])
design = np.stack([np.ones_like(widths), np.log(widths)], axis=1)
solution, residual, *_ = np.linalg.lstsq(design, np.log(values), rcond=None)
variance = residual[0] / (len(widths) - 2) * np.linalg.inv(design.T @ design)[1, 1]
print(f"slope {solution[1]!r} +- {np.sqrt(variance)!r}")
