"""Classes of the program that inherit from MultiOptimizer."""

import pytest
from state_programs import program, refused, trains_the_same

STEP = "return optimizer.apply_gradient(grads)"
RATED = "return optimizer.apply_gradient(grads, learning_rate=lr)"
EACH = """
h, k = optimizer.optimizer_def.hyper_params
return optimizer.apply_gradient(
    grads, hyper_params=[h.replace(learning_rate=lr), k.replace(learning_rate=lr / 3)])
"""
MAKE = """
w = ModelParamTraversal(lambda path, _: path.endswith('w'))
v = ModelParamTraversal(lambda path, _: path.endswith('v'))
return Logged((w, optim.Momentum(0.1, 0.8)), (v, optim.Adam(0.1))).create(params)
"""
LOGGED = """
SEEN = []


class Logged(optim.MultiOptimizer):
  \"\"\"Keeps what it trains.\"\"\"

  def init_state(self, params):
    self.log(params)
    return super().init_state(params)

  def log(self, params):
    for i, traversal in enumerate(self.traversals):
      for leaf in traversal.iterate(params):
        SEEN.append((i, leaf.shape))
"""
METHOD = "\n  def {}(self, *args):\n    return super().{}(*args)\n"
REFUSED = {
    "a step of its own": LOGGED + METHOD.format(*["apply_gradient"] * 2),
    "overrides of its own": LOGGED + METHOD.format(*["update_hyper_params"] * 2),
    "arguments of its own": LOGGED + METHOD.format(*["__init__"] * 2),
    "it reads the optimizers inside": LOGGED.replace("self.traversals", "self.sub_optimizers"),
    "a step that is no def": LOGGED + "\n  apply_gradient = lambda self, *args: args\n",
    "a step under a condition": LOGGED
    + "\n  if True:\n    def apply_gradient(self, *args):\n      return args\n",
    "it changes its traversals": LOGGED.replace(
        "self.log(params)", "self.traversals = self.traversals[::-1]"
    ),
    "it hands itself on": LOGGED.replace("self.log(params)", "print(self)"),
    "it takes its state apart": LOGGED.replace(
        "return super().init_state(params)",
        "state = super().init_state(params)\n    print(state[0].step)\n    return state",
    ),
    "two base classes": LOGGED.replace("(optim.MultiOptimizer)", "(optim.MultiOptimizer, object)"),
    "a class of that class": LOGGED.replace("Logged", "First")
    + "\n\nclass Logged(First):\n  pass\n",
}


@pytest.mark.parametrize("head", REFUSED.values(), ids=REFUSED)
def test_classes_of_another_shape(head):
    refused(program(STEP, MAKE, head), "FXO204")


def test_the_name_of_the_base_is_taken():
    refused(program(STEP, MAKE, "MultiOptimizer = None\n" + LOGGED), "FXO206")


STEPS = {"the constructors' rates": STEP, "one rate for all": RATED, "a rate for each group": EACH}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_method_that_looks_at_the_first_state(step, tmp_path):
    after = trains_the_same(program(step, MAKE, LOGGED), tmp_path)
    assert "class Logged(MultiOptimizer):" in after
    assert "return super().init_state(params)" in after


def test_beside_its_base(tmp_path):
    make = MAKE.replace("return", "if RATE < 1.:\n  Logged = optim.MultiOptimizer\nreturn")
    make = make.replace(
        "Logged = optim.MultiOptimizer",
        "return optim.MultiOptimizer((w, optim.Adam(0.1))).create(params)",
    )
    after = trains_the_same(program(RATED, make, LOGGED), tmp_path)
    assert "scale_by_given_rate()" in after


def test_a_type_of_what_it_returns(tmp_path):
    head = LOGGED.replace(
        "(self, params):\n    self.log", "(self, params) -> optim.OptimizerState:\n    self.log"
    )
    assert "-> optax.OptState:" in trains_the_same(program(STEP, MAKE, head), tmp_path)
