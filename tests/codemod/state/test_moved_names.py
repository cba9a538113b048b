"""What moved out of flax.optim keeps the name that the file has for it."""

import pytest
from migration import migrated, text_of, told

USES = {
    "from flax.optim import dynamic_scale as dynamic_scale_lib": (
        "from flax.training import dynamic_scale as dynamic_scale_lib",
        "def start(dynamic_scale):\n  return dynamic_scale or dynamic_scale_lib.DynamicScale()\n",
    ),
    "from flax.optim import dynamic_scale": (
        "from flax.training import dynamic_scale",
        "def start(scale: dynamic_scale.DynamicScale):\n  return scale or dynamic_scale.DynamicScale()\n",
    ),
    "import flax.optim.dynamic_scale as scaling": (
        "from flax.training import dynamic_scale as scaling",
        "def start():\n  return scaling.DynamicScale()\n",
    ),
    "from flax.optim import DynamicScale": (
        "from flax.training.dynamic_scale import DynamicScale",
        "def start() -> 'DynamicScale':\n  return DynamicScale()\n",
    ),
    "from flax.optim.dynamic_scale import DynamicScale as Scale": (
        "from flax.training.dynamic_scale import DynamicScale as Scale",
        "def start():\n  return Scale()\n",
    ),
    "from flax.optim import ModelParamTraversal": (
        "from flax.traverse_util import ModelParamTraversal",
        "def start():\n  return ModelParamTraversal(lambda path, _: 'bias' in path)\n",
    ),
}


@pytest.mark.parametrize("line", USES)
def test_one_line_changes(line):
    new, body = USES[line]
    before = f"import jax\n{line}\n\n\n{body}"
    outcome = migrated(before, todo=False)
    assert told(outcome) == []
    assert text_of(outcome, before) == before.replace(line, new)


def test_a_name_that_also_is_a_variable_is_not_kept():
    before = (
        "from flax.optim import dynamic_scale\n\n\nSCALE = dynamic_scale.DynamicScale()\n\n\n"
        "def start(dynamic_scale):\n  return dynamic_scale or SCALE\n"
    )
    outcome = migrated(before, todo=False)
    assert told(outcome) == []
    after = text_of(outcome, before)
    assert "SCALE = DynamicScale()" in after
    assert "return dynamic_scale or SCALE" in after


def test_a_program_that_also_steps_keeps_it():
    before = (
        "from flax import optim\nfrom flax.optim import DynamicScale\n\n\ndef train(params, grads):\n"
        "  scale = DynamicScale()\n  optimizer = optim.Adam(1e-3).create(params)\n"
        "  return optimizer.apply_gradient(grads).target, scale, optim.DynamicScale\n"
    )
    after = text_of(migrated(before, todo=False), before)
    assert "from flax.training.dynamic_scale import DynamicScale\n" in after
    assert "scale = DynamicScale()" in after
    assert "scale, DynamicScale\n" in after
