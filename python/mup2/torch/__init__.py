"""µP² for PyTorch models: roles from live modules, multipliers, SAM and a coordinate check.

base = BaseShapes.compare(make_model(64), make_model(128))
model = make_model(1024)
scaled = scale(model, base, scheme="mup2", rule="sam", optimizer="sgd")
print(scaled)
print(scaled.initialize_())
optimizer = torch.optim.SGD(scaled.param_groups(lr=0.1, weight_decay=5e-4), momentum=0.9)
sam = SAM(optimizer, scaled, rho=0.05)

def closure():
    loss = loss_function(model(inputs), targets)
    loss.backward()
    return loss

loss = sam.step(closure)
"""

from mup2.torch.base import BaseShapes
from mup2.torch.check import CheckReport, coordinate_check
from mup2.torch.sam import SAM
from mup2.torch.scaled import Initialization, Row, Scaled, scale

__all__ = [
    "SAM",
    "BaseShapes",
    "CheckReport",
    "Initialization",
    "Row",
    "Scaled",
    "coordinate_check",
    "scale",
]
