import subprocess
import sys

import pytest

import mup2
from mup2.scaling import multipliers


def mlp(width: int, layout: str = "torch") -> dict[str, tuple[int, ...]]:
    sides = {"first": (width, 32), "hidden": (width, width), "readout": (10, width)}
    if layout == "jax":
        sides = {name: shape[::-1] for name, shape in sides.items()}
    return {**sides, "bias": (width,), "readout_bias": (10,)}


def test_the_multipliers_are_those_of_the_method_page():
    rows = multipliers(mlp(256), base=mlp(64))
    found = {
        name: (row["role"], row["lr_mult"], row["rho_mult"], row["norm_mult"], row["init_mult"])
        for name, row in rows.items()
    }
    assert found == {
        "first": ("input", 4.0, 4.0, 2.0, 1.0),
        "hidden": ("hidden", 1.0, 1.0, 1.0, 0.5),
        "readout": ("output", 0.25, 0.25, 0.5, 0.25),
        "bias": ("input", 4.0, 4.0, 2.0, 1.0),
        "readout_bias": ("fixed", 1.0, 1.0, 1.0, 1.0),
    }
    adam = multipliers(mlp(256), base=mlp(64), optimizer="adam")
    assert [row["lr_mult"] for row in adam.values()] == [1.0, 0.25, 0.25, 1.0, 1.0]


def test_jax_has_inputs_before_outputs_and_may_nest():
    nested = {"params": mlp(256, "jax")}
    rows = multipliers(nested, base={"params": mlp(64, "jax")}, layout="jax")
    assert rows["params"] == {
        name: {**row, "shape": list(mlp(256, "jax")[name])}
        for name, row in multipliers(mlp(256), base=mlp(64)).items()
    }


def test_the_base_itself_has_ones_when_a_third_width_shows_what_grows():
    rows = multipliers(mlp(64), base=mlp(64), other=mlp(128))
    assert {row["lr_mult"] for row in rows.values()} == {1.0}
    with pytest.raises(mup2.InvalidInput, match="nothing shows what grows"):
        multipliers(mlp(64), base=mlp(64))


def test_everything_that_does_not_fit_is_said_at_once():
    target = {"table": (50, 4, 256), "twice": (512, 256), **mlp(256)}
    base = {"table": (50, 4, 64), "twice": (128, 128), **mlp(64)}
    with pytest.raises(mup2.InvalidInput) as error:
        multipliers(target, base=base)
    assert "`twice`" in str(error.value)
    target["twice"], base["twice"] = (3, 3, 256), (3, 3, 64)
    with pytest.raises(mup2.InvalidInput) as error:
        multipliers(target, base=base)
    assert "`table`" in str(error.value) and "`twice`" in str(error.value)
    rows = multipliers(target, base=base, declare={"table": "embedding", "twice": "stack in out"})
    assert (rows["table"]["role"], rows["twice"]["role"]) == ("input", "input")


def test_a_name_of_no_parameter_and_an_unknown_scheme_are_errors():
    with pytest.raises(mup2.InvalidInput, match="'wte', which no parameter is called"):
        multipliers(mlp(256), base=mlp(64), declare={"wte": "embedding"})
    with pytest.raises(mup2.InvalidInput, match="scheme: is `mup3`; allowed: `mup2`, or"):
        multipliers(mlp(256), base=mlp(64), scheme="mup3")
    with pytest.raises(mup2.InvalidInput, match="unknown variant `samm`"):
        multipliers(mlp(256), base=mlp(64), rule="samm")


def test_the_package_without_mup2_torch_imports_neither_torch_nor_numpy():
    code = "import mup2, sys; assert not {'torch', 'numpy'} & set(sys.modules)"
    # Elsewhere: the directory of the sources would be on the path.
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")
