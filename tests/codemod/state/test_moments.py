"""`optimizer.state.param_states`: moments that are read by flax's names, copied, changed and put back."""

import pytest
from migration import migrated, text_of
from state_programs import program, refused, trains_the_same

STEPPED = "return optimizer.apply_gradient(grads, learning_rate=lr)"
READ = """
records = optimizer.state.param_states
size = jnp.sum(jnp.abs(records['w'].{field}))
return optimizer.apply_gradient(grads, learning_rate=lr / (1. + size))
"""
SHRUNK = """
size = jnp.sum(jnp.abs(optimizer.state.param_states['w'].{field}))
return optimizer.apply_gradient(jax.tree_util.tree_map(lambda g: g / (1. + size), grads))
"""
# The moments of one parameter start anew, those of another are made half of what they were.
CHANGED = """
moments = unfreeze(optimizer.state.param_states)
moments['b'] = jax.tree_util.tree_map(jnp.zeros_like, moments['b'])
moments['w'] = moments['w'].replace({field}=0.5 * optimizer.state.param_states['w'].{field})
state = optimizer.state.replace(param_states=moments)
optimizer = optimizer.replace(state=state)
return optimizer.apply_gradient(grads, learning_rate=lr)
"""
AT_ONCE = """
moments = jax.tree_util.tree_map(lambda x: 0.5 * x, optimizer.state.param_states)
optimizer = optimizer.replace(state=optimizer.state.replace(param_states=moments))
return optimizer.apply_gradient(grads)
"""
HEAD = "from flax.core import unfreeze"
OWN = """
from flax import struct

@struct.dataclass
class Halved:
  momentum: object

class Own(optim.OptimizerDef):
  def __init__(self, learning_rate):
    super().__init__(learning_rate)

  def init_param_state(self, param):
    return Halved(jnp.zeros_like(param))

  def apply_param_gradient(self, step, hyper_params, param, state, grad):
    momentum = 0.5 * state.momentum + grad
    return param - 0.1 * momentum, Halved(momentum)
"""
KINDS = {
    "adam": ("optim.Adam(RATE, weight_decay=0.1)", "grad_ema"),
    "belief": ("optim.AdaBelief(RATE, weight_decay=0.1)", "grad_sq_ema"),
    "lamb": ("optim.LAMB(RATE)", "grad_sq_ema"),
    "momentum": ("optim.Momentum(RATE, 0.8, weight_decay=0.1)", "momentum"),
    "lars": ("optim.LARS(RATE)", "momentum"),
    "lars with decay": ("optim.LARS(RATE, weight_decay=0.1, nesterov=True)", "momentum"),
}
REFUSED = {
    "changed in place": "optimizer.state.param_states['w'] = None",
    "changed in place, behind a name": "records = optimizer.state.param_states\nrecords['w'] = None",
    "changed below": "inner = optimizer.state.param_states.get('inner')\ninner['w'] = None",
    "changed in a loop": "for record in optimizer.state.param_states.values():\n  record['w'] = None",
    "changed with others": "records = optimizer.state.param_states\nrecords['w'], RATES = None, 1",
    "taken out": "print(optimizer.state.param_states.pop('w'))",
    "deleted": "del optimizer.state.param_states['w']",
    "added to": "optimizer.state.param_states.update(w=None)",
    "added up": "optimizer.state.param_states['w'] += 1",
    "of a shallow copy": "import copy\nrecords = copy.copy(optimizer.state.param_states)\nrecords['w']['x'] = 1",
    "added up as a whole": "records = optimizer.state.param_states\nrecords |= {'w': None}",
    "by a method that is kept": "change = optimizer.state.param_states.update\nchange(w=None)",
    "by a method's name": "getattr(optimizer.state.param_states, 'update')(w=None)",
    "by the class's method": "dict.update(optimizer.state.param_states, w=None)",
    "by an operator": "import operator\noperator.setitem(optimizer.state.param_states, 'w', None)",
    "in a context": "import contextlib\nwith contextlib.nullcontext(optimizer.state.param_states) as records:\n  records['w'] = None",
    "the longest of one": "records = max([optimizer.state.param_states], key=len)\nrecords['w'] = None",
    "filtered": "for records in filter(None, [optimizer.state.param_states]):\n  records['w'] = None",
    "from a queue": "import collections\nrecords = collections.deque([optimizer.state.param_states]).popleft()\nrecords['w'] = None",
    "in code that cannot be seen": "import elsewhere\nelsewhere.change(optimizer.state.param_states)",
    "in a dict of it": "dict(optimizer.state.param_states)['w']['x'] = None",
    "of an expression": "print((optimizer if RATE else None).state.param_states)",
    "replaced with the step": "optimizer = optimizer.replace(state=optimizer.state.replace(step=1, param_states={}))",
}


@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED)
def test_what_a_view_cannot_do(line):
    refused(program(f"{line}\n{STEPPED}", "return optim.Adam(RATE).create(params)"), "FXO306")


@pytest.mark.parametrize(
    "made",
    [
        "optim.Adafactor(RATE)",
        "optim.WeightNorm(optim.Adam(RATE))",
        "optim.MultiOptimizer((ModelParamTraversal(lambda path, _: True), optim.Adafactor(RATE)))",
        "getattr(optim, NAME)(RATE)",
    ],
)
def test_moments_that_optax_keeps_otherwise(made):
    step = f"print(optimizer.state.param_states)\n{STEPPED}"
    refused(program(step, f"return {made}.create(params)", head="NAME = 'Adam'"), "FXO306")


@pytest.mark.parametrize("made, field", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("step", [READ, CHANGED], ids=["read", "changed"])
def test_the_moments_of(made, field, step, tmp_path):
    before = program(step.format(field=field), f"return {made}.create(params)", head=HEAD)
    after = trains_the_same(before, tmp_path)
    assert "param_states_of(optimizer.opt_state, optimizer.params)" in after


@pytest.mark.parametrize("made, _", KINDS.values(), ids=KINDS)
def test_all_at_once(made, _, tmp_path):
    after = trains_the_same(program(AT_ONCE, f"return {made}.create(params)"), tmp_path)
    assert "opt_state=with_param_states(optimizer.opt_state, moments))" in after
    assert "step=optimizer.step" not in after


def test_whichever_of_several(tmp_path):
    made = """
    if RATE > 1.:
      definition = optim.GradientDescent(RATE)
    elif RATE > 0.5:
      definition = optim.LARS(RATE)
    else:
      definition = optim.Adam(RATE)
    return definition.create(params)
    """
    trains_the_same(program(CHANGED.format(field="grad_ema"), made, head=HEAD), tmp_path)


def test_plain_gradient_descent_has_none(tmp_path):
    step = f"moments = unfreeze(optimizer.state.param_states)\nmoments['b'] = moments['w']\noptimizer = optimizer.replace(state=optimizer.state.replace(param_states=moments))\n{STEPPED}"
    make = "return optim.GradientDescent(RATE).create(params)"
    trains_the_same(program(step, make, head=HEAD), tmp_path)


def test_an_optimizer_of_the_program(tmp_path):
    make = "return Own(0.1).create(params)"
    step = CHANGED.format(field="momentum").replace(", learning_rate=lr", "")
    trains_the_same(program(step, make, head=HEAD + OWN), tmp_path)


GROUPS = """
first = ModelParamTraversal(lambda path, _: path == '/{first}')
second = ModelParamTraversal(lambda path, _: path == '/{second}')
return optim.MultiOptimizer((first, {one}), (second, {other})).create(params)
"""
MULTI = {
    "two kinds": ("optim.Adam(RATE)", "optim.Momentum(RATE)", "grad_ema"),
    "twice the same": ("optim.Momentum(RATE)", "optim.Momentum(RATE, 0.5)", "momentum"),
    "one without moments": ("optim.Momentum(RATE)", "optim.GradientDescent(RATE)", "momentum"),
    "one of the program": ("Own(RATE)", "optim.Momentum(RATE)", "momentum"),
}


@pytest.mark.parametrize("one, other, field", MULTI.values(), ids=MULTI)
@pytest.mark.parametrize("step", [SHRUNK, CHANGED], ids=["read", "changed"])
def test_groups(one, other, field, step, tmp_path):
    step = step.format(field=field).replace(", learning_rate=lr", "")
    make = GROUPS.format(first="w", second="b", one=one, other=other)
    trains_the_same(program(step, make, head=HEAD + OWN), tmp_path)


def test_records_of_the_program(tmp_path):
    head = """
from flax import struct

@struct.dataclass
class Kept:
  momentum: object
"""
    step = """
    moments = {name: Kept(0.5 * one.momentum) for name, one in optimizer.state.param_states.items()}
    optimizer = optimizer.replace(state=optimizer.state.replace(param_states=moments))
    return optimizer.apply_gradient(grads)
    """
    trains_the_same(program(step, head=head), tmp_path)


def test_how_many_have_moments(tmp_path):
    step = """
    size = sum(len(jax.tree_util.tree_leaves(x)) for x in optimizer.state.param_states.values())
    size += sum(x is None for x in optimizer.state.param_states.values())
    return optimizer.apply_gradient(grads, learning_rate=lr / (1. + size))
    """
    make = "return optim.GradientDescent(RATE).create(params)"
    trains_the_same(program(step, make), tmp_path)


def test_one_group(tmp_path):
    make = "return optim.Adam(RATE).create(params, focus=ModelParamTraversal(lambda path, _: path == '/w'))"
    trains_the_same(program(READ.format(field="grad_ema"), make), tmp_path)


def test_of_a_state_that_is_kept(tmp_path):
    step = f"""
    state = optimizer.state
    moments = jax.tree_util.tree_map(lambda x: 0.5 * x, state.param_states)
    optimizer = optimizer.replace(state=state.replace(param_states=moments))
    {STEPPED}
    """
    after = trains_the_same(program(step, "return optim.Adam(RATE).create(params)"), tmp_path)
    assert "param_states_of(state[1])" in after
    assert "(state[0], with_param_states(state[1], moments))" in after


@pytest.mark.parametrize(
    "made",
    [
        "optim.GradientDescent(RATE)",
        "optim.MultiOptimizer((ModelParamTraversal(lambda path, _: True), optim.Adam(RATE)))",
    ],
)
def test_a_kept_state_does_not_say_of_which_params(made):
    step = f"state = optimizer.state\nprint(state.param_states)\n{STEPPED}"
    refused(program(step, f"return {made}.create(params)"), "FXO306")


@pytest.mark.parametrize(
    "head, line", [("class AdamParamState:\n  pass\n", ""), ("", "param_states_of = 1\n")]
)
def test_names_of_the_program_stay(head, line):
    step = f"{line}print(optimizer.state.param_states)\n{STEPPED}"
    refused(program(step, head=head), "FXO206")


def test_the_name_that_flax_had(tmp_path):
    step = f"""
    param_states = optimizer.state.param_states
    state = optimizer.state.replace(param_states=param_states)
    optimizer = optimizer.replace(state=state)
    {STEPPED}
    """
    trains_the_same(program(step), tmp_path)


def test_a_library_may_see_them(tmp_path):
    step = """
    flat = flatten_dict(optimizer.state.param_states)
    size = sum(jnp.sum(jnp.abs(record.momentum)) for record in flat.values())
    return optimizer.apply_gradient(grads, learning_rate=lr / (1. + size))
    """
    trains_the_same(program(step, head="from flax.traverse_util import flatten_dict"), tmp_path)


def test_lars_keeps_its_own_sign_where_nobody_looks():
    after = text_of(migrated(program(make="return optim.LARS(RATE).create(params)")), "")
    assert "optax.scale(-1)" not in after


def test_beside_a_dict_that_has_no_state(tmp_path):
    head = f"""{HEAD}
def restored(optimizer):
  if RATE > 1.:
    return {{'target': optimizer.target}}
  return optimizer.replace(target=optimizer.target)
"""
    step = f"""
    old = restored(optimizer)
    moments = unfreeze(old.state.param_states)
    moments['w'] = optimizer.state.param_states['w']
    state = old.state.replace(param_states=moments)
    optimizer = old.replace(state=state)
    {STEPPED}
    """
    trains_the_same(program(step, head=head), tmp_path)
