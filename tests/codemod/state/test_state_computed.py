"""Classes and arguments of flax.optim that only the run knows."""

import pytest
from migration import migrated
from state_programs import STEP, program, refused, trains_the_same

PLAIN = "return optimizer.apply_gradient(grads)"
NAMED = "return getattr(optim, CONFIG['name'])(**CONFIG.get('arguments', {})).create(params)"
STARRED = "return optim.{}(**dict(CONFIG)).create(params)"
CONFIG = "import json\nCONFIG = json.loads('''{}''')"
ARGUMENTS = {
    "Adam": '{"beta1": 0.8, "weight_decay": 0.1, "learning_rate": 0.1}',
    "AdaBelief": '{"beta1": 0.8, "weight_decay": 0.1, "learning_rate": 0.01}',
    "Adadelta": '{"rho": 0.8, "learning_rate": 0.1}',
    "Adagrad": '{"eps": 0.001, "learning_rate": 0.1}',
    "GradientDescent": '{"learning_rate": 0.1}',
    "LAMB": '{"beta1": 0.8, "learning_rate": 0.1}',
    "LARS": '{"nesterov": true, "weight_decay": 0.1, "learning_rate": 0.1}',
    "Momentum": '{"nesterov": true, "weight_decay": 0.1, "learning_rate": 0.1}',
    "RMSProp": '{"centered": true, "learning_rate": 0.1}',
}


def test_no_string_of_the_program_is_a_name():
    refused(program(STEP, NAMED, CONFIG.format('{"name": "adam"}')), "FXO901")


def test_a_name_of_the_program_that_does_not_apply_its_rate_last():
    refused(program(STEP, NAMED, CONFIG.format('{"name": "LARS"}')), "FXO901")


def test_a_default_for_the_class():
    make = NAMED.replace("CONFIG['name'])", "CONFIG['name'], optim.Adam)")
    refused(program(STEP, make, CONFIG.format('{"name": "Adam"}')), "FXO901")


def test_the_module_goes_elsewhere():
    make = "print(optim)\n" + NAMED
    refused(program(STEP, make, CONFIG.format('{"name": "Adam"}')), "FXO901")


def test_computed_arguments_of_a_rule_that_must_see_them():
    refused(program(PLAIN, STARRED.format("Adafactor"), CONFIG.format("{}")), "FXO202")


def test_computed_arguments_where_only_some_steps_give_a_rate():
    step = "optimizer = optimizer.apply_gradient(grads)\n" + STEP
    head = CONFIG.format(ARGUMENTS["Adam"])
    refused(program(step, STARRED.format("Adam"), head), "FXO502")


@pytest.mark.parametrize("name", ["Adam", "Momentum", "RMSProp", "LAMB"])
@pytest.mark.parametrize("step", [STEP, PLAIN], ids=["rate of the step", "rate of the constructor"])
def test_a_class_by_its_name(name, step, tmp_path):
    head = CONFIG.format(f'{{"name": "{name}", "arguments": {ARGUMENTS[name]}}}')
    after = trains_the_same(program(step, NAMED, head), tmp_path)
    assert f"'{name}': " in after
    assert "getattr" not in after
    assert "'Adagrad'" not in after


def test_names_are_looked_for_in_the_whole_program(tmp_path):
    head = 'OTHER = dict(name="RMSProp")\n' + CONFIG.format('{"name": "Adam", "arguments": {}}')
    after = trains_the_same(program(STEP, NAMED, head), tmp_path)
    assert "'RMSProp': unscaled_rmsprop}[CONFIG['name']]" in after


OPEN = {
    "a parameter": (
        NAMED.replace("CONFIG['name']", "name").replace("return", "name = input()\nreturn"),
        "",
    ),
    "a flag": (NAMED, "flags.DEFINE_string('name', 'Momentum', 'any')"),
    "an argument": (NAMED, "parser.add_argument('--name', default='Momentum')"),
    "a setting that is computed": (NAMED, "CONFIG['name'] = input()"),
}


@pytest.mark.parametrize(("make", "head"), OPEN.values(), ids=OPEN)
def test_a_name_that_may_come_from_outside(make, head):
    text = program(STEP, make, CONFIG.format('{"name": "Adam"}') + "\n" + head)
    refused(text, "FXO901")
    outcome = migrated(text, form="state", unsafe=True)
    assert "unscaled_adam" in outcome.changes[0].text


def test_a_name_that_is_not_known_is_told():
    outcome = migrated(
        program(STEP, NAMED, CONFIG.format('{"name": "Adam", "arguments": {}}')), form="state"
    )
    assert any("KeyError" in one.message for one in outcome.diagnostics)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_computed_arguments(name, tmp_path):
    head = CONFIG.format(ARGUMENTS[name])
    after = trains_the_same(program(PLAIN, STARRED.format(name), head), tmp_path)
    assert "(**dict(CONFIG))" in after


@pytest.mark.parametrize("name", sorted(ARGUMENTS.keys() - {"LARS"}))
def test_computed_arguments_with_the_rate_of_the_step(name, tmp_path):
    head = CONFIG.format(ARGUMENTS[name])
    after = trains_the_same(program(STEP, STARRED.format(name), head), tmp_path)
    assert "unscaled_" in after


def test_arguments_in_a_list(tmp_path):
    make = "return optim.Momentum(*CONFIG, nesterov=True).create(params)"
    after = trains_the_same(program(PLAIN, make, CONFIG.format("[0.1, 0.8]")), tmp_path)
    assert "flax_momentum(*CONFIG, nesterov=True)" in after


def test_a_missing_rate_is_an_error_and_not_an_ascent(tmp_path):
    head = CONFIG.format('{"beta1": 0.8}')
    outcome = migrated(program(PLAIN, STARRED.format("Adam"), head), form="state")
    names: dict[str, object] = {}
    exec(outcome.changes[0].text, names)
    with pytest.raises(ValueError, match="No learning rate"):
        names["flax_adam"](beta1=0.8)  # type: ignore[operator]


RESET = "optimizer = optimizer.replace(state=optimizer.state.replace(step={}))\n" + PLAIN


@pytest.mark.parametrize("name", ["Adam", "Momentum", "Adafactor", "AdaBelief"])
def test_all_counters_move_with_the_step(name, tmp_path):
    make = f"return optim.{name}(RATE).create(params)"
    after = trains_the_same(program(RESET.format("7"), make), tmp_path)
    assert "optimizer = at_step(optimizer, 7)" in after


@pytest.mark.parametrize(
    "call",
    [
        "optimizer.replace(state=other.state.replace(step=1))",
        "optimizer.replace(state=optimizer.state.replace(hyper_params=3))",
        "optimizer.replace(state=optimizer.state.replace(step=1, param_states=3))",
        "optimizer.replace(target=grads, state=optimizer.state.replace(step=1))",
    ],
)
def test_other_changes_of_the_state(call):
    refused(program(f"other = optimizer\noptimizer = {call}\n{PLAIN}"), "FXO306")


POOL = """
from multiprocessing.pool import ThreadPool
POOL = ThreadPool()


def peek(optimizer, name):
  return optimizer.target[name].shape
"""


@pytest.mark.parametrize(
    "call", ["POOL.apply_async(peek, (optimizer, 'w'))", "POOL.submit(peek, optimizer, 'w')"]
)
def test_functions_on_other_threads_are_followed(call):
    outcome = migrated(program(f"print({call})\n{PLAIN}", head=POOL))
    assert "optimizer.params[name].shape" in outcome.changes[0].text


@pytest.mark.parametrize(
    "call", ["POOL.apply_async(print, (optimizer,))", "POOL.submit(*[peek, optimizer])"]
)
def test_functions_on_other_threads_that_cannot_be_seen(call):
    refused(program(f"{call}\n{PLAIN}", head=POOL), "FXO309")


def test_a_class_by_its_name_that_is_stepped_where_it_is_made():
    before = (
        "from flax import optim\n\n\ndef main(config, params, grads):\n"
        "  config.optim_name = 'Adam'\n"
        "  optimizer = getattr(optim, config.optim_name)(learning_rate=0.1).create(params)\n"
        "  return optimizer.apply_gradient(grads).target\n"
    )
    outcome = migrated(before, todo=False)
    assert "flax_adam" in outcome.changes[0].text
    assert all(flow.applied for flow in outcome.flows)


def test_a_class_by_a_name_that_is_set_at_the_top():
    before = (
        "from flax import optim\nNAME = 'Adam'\nCONFIG = dict(kind='Momentum')\n"
        "chosen = CONFIG.get('kind')\noptimizer = getattr(optim, chosen)(0.1).create({'w': 1.})\n"
    )
    outcome = migrated(before, todo=False)
    assert "{'Momentum': flax_momentum}[chosen]" in outcome.changes[0].text


PARTIAL = "import functools\nmake_def = functools.partial({})"
PARTIALS = {
    "one": PARTIAL.format("optim.Momentum, beta=0.8"),
    "by position": PARTIAL.format("optim.Momentum, RATE, 0.8"),
    "of a partial": PARTIAL.format("functools.partial(optim.Momentum, beta=0.7), beta=0.8"),
}


@pytest.mark.parametrize("head", PARTIALS.values(), ids=PARTIALS)
@pytest.mark.parametrize("step", [STEP, PLAIN], ids=["rate of the step", "rate of the constructor"])
def test_a_partial_application(head, step, tmp_path):
    given = "" if "RATE" in head else "learning_rate=RATE"
    after = trains_the_same(
        program(step, f"return make_def({given}).create(params)", head), tmp_path
    )
    assert "_momentum" in after
    assert "optim.Momentum(" not in after


def test_a_partial_application_that_is_called_nowhere():
    head = PARTIALS["one"]
    refused(program(STEP, "return optim.Momentum(RATE).create(params)", head), "FXO202")


def test_a_partial_application_of_a_class_that_must_see_its_arguments():
    head = PARTIAL.format("optim.Adafactor, decay_rate=0.7")
    refused(program(PLAIN, "return make_def(RATE).create(params)", head), "FXO202")
