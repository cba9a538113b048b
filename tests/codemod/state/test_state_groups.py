"""`hyper_params=[…]`: a learning rate for each group of a MultiOptimizer."""

import pytest
from state_programs import program, refused, trains_the_same

MAKE = """
w = ModelParamTraversal(lambda path, _: path.endswith('w'))
v = ModelParamTraversal(lambda path, _: path.endswith('v'))
return optim.MultiOptimizer((w, optim.Momentum(0.1, 0.8)), (v, optim.Adam(0.1))).create(params)
"""
RATES = "[h[0].replace(learning_rate=lr), h[1].replace(learning_rate=lr / 10)]"
HYPER = "h = optimizer.optimizer_def.hyper_params\n"


def step(given):
    return f"{HYPER}return optimizer.apply_gradient(grads, hyper_params={given})"


STRANGE = {
    "in another order": "[h[1].replace(learning_rate=lr), h[0].replace(learning_rate=lr)]",
    "one left as it is": "[h[0].replace(learning_rate=lr), h[1]]",
    "another hyperparameter": "[h[0].replace(beta=lr), h[1].replace(learning_rate=lr)]",
    "rates by comparing": "[x.replace(learning_rate=x.learning_rate * lr) for x in h]",
    "filtered": "[x.replace(learning_rate=lr) for x in h if x]",
    "computed index": "[h[i].replace(learning_rate=lr) for i in range(2)]",
}


@pytest.mark.parametrize("given", STRANGE.values(), ids=STRANGE)
def test_hyperparameters_that_are_not_one_rate_per_group(given):
    refused(program(step(given), MAKE), "FXO502")


def test_groups_that_cannot_be_told_apart():
    make = MAKE.replace("return optim.MultiOptimizer(", "groups = (").replace(
        ").create", ")\nreturn optim.MultiOptimizer(*groups).create"
    )
    assert "*groups" in make
    refused(program(step(RATES), make), "FXO502")


def test_only_some_steps_give_rates():
    refused(program(f"optimizer = optimizer.apply_gradient(grads)\n{step(RATES)}", MAKE), "FXO502")


UNPACKED = """
{targets} = optimizer.optimizer_def.hyper_params
return optimizer.apply_gradient(
    grads, hyper_params=[a.replace(learning_rate=lr), b.replace(learning_rate=lr / 10)])
"""
OTHERWISE_UNPACKED = {
    "in another order": UNPACKED.format(targets="b, a"),
    "bound again": "a = None\n" + UNPACKED.format(targets="a, b"),
    "with a rest": UNPACKED.format(targets="a, *b").replace("b.replace", "b[0].replace"),
    "one of three": UNPACKED.format(targets="a, b, c"),
    "nested": UNPACKED.format(targets="(a, b), c"),
    "in a loop": "for _ in range(2):\n  a, b = optimizer.optimizer_def.hyper_params"
    + UNPACKED.split("hyper_params", 1)[1],
}


@pytest.mark.parametrize("text", OTHERWISE_UNPACKED.values(), ids=OTHERWISE_UNPACKED)
def test_hyperparameters_unpacked_in_ways_that_are_not_one_rate_per_group(text):
    refused(program(text, MAKE), "FXO502")


def test_hyperparameters_that_are_unpacked_and_read_elsewhere():
    text = UNPACKED.format(targets="a, b").replace("return", "print(a)\nreturn")
    refused(program(text, MAKE), "FXO308")


@pytest.mark.parametrize("targets", ["a, b", "(a, b)", "(a,\n b)", "[a, b]"])
def test_hyperparameters_that_are_unpacked(targets, tmp_path):
    after = trains_the_same(program(UNPACKED.format(targets=targets), MAKE), tmp_path)
    assert "learning_rates=[lr, lr / 10]" in after
    assert "hyper_params" not in after


LARS = MAKE.replace("optim.Adam(0.1)", "optim.LARS(0.1, weight_decay=0.1)")


def test_a_group_whose_rate_is_not_last(tmp_path):
    after = trains_the_same(program(step(RATES), LARS), tmp_path)
    assert "with_given_rate(" in after and "lambda learning_rate: optax.chain(" in after


def test_one_rate_for_all_groups_where_it_is_not_last(tmp_path):
    text = program("return optimizer.apply_gradient(grads, learning_rate=lr)", LARS)
    assert ".opt_state, optimizer.params, learning_rate=lr)" in trains_the_same(text, tmp_path)


def test_a_group_whose_rate_is_not_last_and_steps_that_give_none():
    text = program(f"optimizer = optimizer.apply_gradient(grads)\n{step(RATES)}", LARS)
    refused(text, "FXO502")


def test_a_group_whose_rate_is_not_last_and_a_variable_of_the_rates_name():
    make = LARS.replace("weight_decay=0.1", "weight_decay=learning_rate")
    refused(program(step(RATES), "learning_rate = 0.1\n" + make), "FXO502")


def test_the_hyperparameters_are_read_elsewhere():
    text = step(RATES).replace("return", "print(h)\nreturn")
    refused(program(text, MAKE), "FXO308")


def test_a_rate_for_each_group(tmp_path):
    after = trains_the_same(program(step(RATES), MAKE), tmp_path)
    assert "learning_rates=[lr, lr / 10]" in after
    assert "hyper_params" not in after


def test_groups_in_variables(tmp_path):
    make = MAKE.replace("return ", "inner = optim.Adam()\nreturn ").replace(
        "optim.Adam(0.1))", "inner)"
    )
    after = trains_the_same(program(step(RATES), make), tmp_path)
    assert "optax.chain(inner, scale_by_group_rate(1))" in after


def test_the_same_rate_for_all_of_them(tmp_path):
    after = trains_the_same(
        program(step("[x.replace(learning_rate=lr) for x in h]"), MAKE), tmp_path
    )
    assert "lambda u: -lr * u" in after


def test_one_rate_for_all_groups(tmp_path):
    text = program("return optimizer.apply_gradient(grads, learning_rate=lr)", MAKE)
    assert "lambda u: -lr * u" in trains_the_same(text, tmp_path)


def test_one_rate_for_a_focus(tmp_path):
    make = "w = ModelParamTraversal(lambda path, _: 'w' in path)\nreturn optim.Adam(0.1).create(params, focus=w)"
    text = program("return optimizer.apply_gradient(grads, learning_rate=lr)", make)
    assert "lambda u: -lr * u" in trains_the_same(text, tmp_path)


def test_comments_between_groups_stay(tmp_path):
    make = MAKE.replace("(v, optim", "# The head.\n    (v, optim")
    assert "# The head." in trains_the_same(program(step(RATES), make), tmp_path)


BOTH = f"""
if {{which}}:
  {HYPER}
  return optimizer.apply_gradient(grads, hyper_params={RATES})
return optimizer.apply_gradient(grads, learning_rate=lr)
"""


def test_some_steps_give_each_group_its_rate_and_others_one_for_all(tmp_path):
    after = trains_the_same(program(BOTH.format(which="RATE > 1."), MAKE), tmp_path)
    assert "learning_rates=[lr] * 2" in after


def test_a_single_optimizer_beside_groups(tmp_path):
    make = "if RATE < 1.:\n  return optim.Momentum(beta=0.8).create(params)" + MAKE
    after = trains_the_same(program(BOTH.format(which="RATE > 1."), make), tmp_path)
    assert "scale_by_group_rate(0))" in after


def test_a_group_that_is_also_an_optimizer_of_its_own():
    make = """
    one = optim.Momentum(beta=0.8)
    w = ModelParamTraversal(lambda path, _: path.endswith('w'))
    if RATE < 1.:
      return one.create(params)
    return optim.MultiOptimizer((w, one), (w, optim.Adam(0.1))).create(params)
    """
    refused(program(BOTH.format(which="RATE > 1."), make), "FXO502")


def test_the_name_of_what_is_written_in_is_taken():
    head = "def multi_optimizer(*groups):\n  return groups\n"
    text = program("return optimizer.apply_gradient(grads, learning_rate=lr)", MAKE, head)
    refused(text, "FXO206")


def test_the_name_of_what_is_written_in_is_a_local_variable():
    make = MAKE.replace("return", "multi_optimizer = 3\nreturn")
    refused(program("return optimizer.apply_gradient(grads, learning_rate=lr)", make), "FXO206")
