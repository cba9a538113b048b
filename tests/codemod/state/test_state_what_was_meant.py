"""What a step or a constructor evaluates: once, in its order, and when flax did."""

import pytest
from migration import migrated, told
from state_programs import program, trains_the_same

RATED = "return optimizer.apply_gradient(grads, learning_rate=lr)"
GROUPS = """
w = ModelParamTraversal(lambda path, _: path.endswith('w'))
v = ModelParamTraversal(lambda path, _: path.endswith('v'))
"""
MULTI = (
    GROUPS
    + "return optim.MultiOptimizer((w, optim.Momentum(0.1, 0.8)), (v, optim.Adam(0.1))).create(params)"
)
LOOP = (
    GROUPS
    + """
groups = []
for traversal, beta in [(w, 0.9), (v, 0.2)]:
  groups.append((traversal, optim.LARS(0.1, beta=beta, weight_decay=0.1)))
return optim.MultiOptimizer(*groups).create(params)
"""
)
EACH = "[h.replace(learning_rate=a), k.replace(learning_rate=a / 3)]"
LINES = {
    "a rate on the same line": (
        "lr = lr * 2; optimizer = optimizer.apply_gradient(grads, learning_rate=lr)\nreturn optimizer",
        None,
    ),
    "gradients on the same line": (
        "grads = jax.tree_util.tree_map(jnp.sin, grads); optimizer = optimizer.apply_gradient(grads, learning_rate=lr)\nreturn optimizer",
        None,
    ),
    "something behind the hyperparameters": (
        f"h, k = optimizer.optimizer_def.hyper_params; a = lr * 2\nreturn optimizer.apply_gradient(grads, hyper_params={EACH})",
        MULTI,
    ),
    "something in front of them": (
        f"a = lr * 2; h, k = optimizer.optimizer_def.hyper_params\nreturn optimizer.apply_gradient(grads, hyper_params={EACH})",
        MULTI,
    ),
    "a rate for each from a row": (
        "rates = [lr, lr / 3]\nreturn optimizer.apply_gradient(grads, hyper_params=[h.replace(learning_rate=rates.pop()) for h in optimizer.optimizer_def.hyper_params])",
        MULTI,
    ),
    "a rate for each by counting": (
        "n = 0\nreturn optimizer.apply_gradient(grads, hyper_params=[h.replace(learning_rate=lr / (n := n + 1)) for h in optimizer.optimizer_def.hyper_params])",
        MULTI,
    ),
    "a rate in front of the gradients": (
        "it = iter([lr, lr / 2])\nscaled = lambda s: jax.tree_util.tree_map(lambda g: g * s, grads)\nreturn optimizer.apply_gradient(learning_rate=next(it), grads=scaled(next(it)))",
        None,
    ),
    "a constructor in a loop": (RATED, LOOP),
    "a constructor with a counter": (
        RATED,
        "it = iter([0.9, 0.2, 0.1, 0.05])\nreturn optim.LARS(0.1, beta=next(it)).create(params)",
    ),
    "a variable that is bound again": (
        RATED,
        "beta = 0.9\ndefinition = optim.LARS(0.1, beta=beta)\nbeta = 0.1\nreturn definition.create(params)",
    ),
}


@pytest.mark.parametrize("step, make", LINES.values(), ids=LINES)
def test_it_trains_the_same_or_is_refused(step, make, tmp_path):
    before = program(step, make) if make else program(step)
    outcome = migrated(before, form="state", todo=False)
    if told(outcome):
        assert not outcome.changes
        assert {one.code for one in told(outcome)} >= {"FXO502"} or "FXO308" in {
            one.code for one in told(outcome)
        }
    else:
        trains_the_same(before, tmp_path)


OTHER = """
h = other.optimizer_def.hyper_params
return optimizer.apply_gradient(grads, hyper_params=h.replace(learning_rate=lr))
"""


def test_the_hyperparameters_of_another_optimizer():
    head = "other = optim.Momentum(0.3, 0.1).create({'w': jnp.ones(2)})"
    outcome = migrated(program(OTHER, head=head), form="state", todo=False)
    assert "FXO502" in {one.code for one in told(outcome)}
    assert not outcome.changes


SNAPSHOT = """
import dataclasses


@dataclasses.dataclass
class Snapshot:
  target: object
  state: object
"""


def test_a_field_called_state(tmp_path):
    step = """
    kept = Snapshot(optimizer.target, optimizer.state)
    lr = lr / (kept.state.step + 1.)
    optimizer = optimizer.apply_gradient(grads, learning_rate=lr)
    return optimizer.replace(state=kept.state) if RATE > 1. else optimizer
    """
    after = trains_the_same(program(step, head=SNAPSHOT), tmp_path)
    assert "kept.state[0] + 1." in after
    assert "step=kept.state[0], opt_state=kept.state[1]" in after
