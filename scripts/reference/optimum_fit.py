"""The optimum by a parabola and its exponent by a straight line, with numpy's polyfit.

    python3 scripts/reference/optimum_fit.py

prints the numbers of the test in crates/mup2-report/src/report/fits.rs: the vertex of the parabola
through points (log2 of the hyperparameter, accuracy), and slope and standard error of a line through
(log2 of the size, log2 of the optimum). Needs numpy.
"""

import numpy as np

a, b, _ = np.polyfit([-2, -1, 0, 1, 2.5], [0.70, 0.79, 0.83, 0.80, 0.60], 2)
print("vertex", -b / (2 * a))
# cov=True divides the residuals by (points - 2), as the standard error of a slope does.
line, covariance = np.polyfit([6, 7, 8, 9], [-3.1, -3.45, -4.1, -4.4], 1, cov=True)
print("slope ", line[0], "stderr", np.sqrt(covariance[0, 0]))
