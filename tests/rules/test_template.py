"""Binding, choosing and rendering: refusals first, then what is written."""

import pytest

from flax2optax_rules import (
    RULES,
    DuplicateArgumentError,
    MissingArgumentError,
    RuleError,
    UnknownArgumentError,
    bind,
    choose,
    defaults,
    render,
    write,
    write_injected,
    write_unscaled,
)

ADAM, ADAFACTOR = RULES["Adam"], RULES["Adafactor"]


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(UnknownArgumentError, match="Adam has no argument 'betas'"):
        bind(ADAM, [], {"betas": "(0.9, 0.99)"})


def test_too_many_arguments_are_refused() -> None:
    with pytest.raises(UnknownArgumentError, match="takes 1 arguments"):
        bind(RULES["GradientDescent"], ["0.1", "0.9"], {})


def test_an_argument_given_twice_is_refused() -> None:
    with pytest.raises(DuplicateArgumentError, match="'learning_rate' twice"):
        bind(ADAM, ["0.1"], {"learning_rate": "0.2"})


@pytest.mark.parametrize("arguments", [{}, {"learning_rate": "None"}])
def test_a_missing_rate_is_refused(arguments: dict[str, str]) -> None:
    with pytest.raises(MissingArgumentError, match="no learning_rate is given"):
        write(ADAM, arguments)


def test_keywords_of_a_multi_optimizer_are_refused() -> None:
    with pytest.raises(UnknownArgumentError, match="MultiOptimizer has no argument 'focus'"):
        bind(RULES["MultiOptimizer"], [], {"focus": "kernels"})


def test_epsilon2_with_a_scale_known_at_run_time_only_is_refused() -> None:
    arguments = {"epsilon2": "0.1", "multiply_by_parameter_scale": "config.scale"}
    with pytest.raises(RuleError, match="write one of the two out"):
        choose(ADAFACTOR, arguments)


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("f({x})", "a + b", "f(a + b)"),
        ("f(y={x})", "lambda s: s", "f(y=lambda s: s)"),
        ("f(g, {x})", "a if b else c", "f(g, a if b else c)"),
        ("f({x}, 1)", "i for i in y", "f((i for i in y), 1)"),
        ("f({x}, 1)", "(i for i in y)", "f((i for i in y), 1)"),
        ("f(y={x})", "a := 1", "f(y=(a := 1))"),
        ("-{x}", "a + b", "-(a + b)"),
        ("-{x}", "(a + b)", "-(a + b)"),
        ("-{x}", "(a) + (b)", "-((a) + (b))"),
        ("-{x}", "a ** b", "-(a ** b)"),
        ("-{x}", "config.lr", "-config.lr"),
        ("-{x}", "f(a + b)", "-f(a + b)"),
        ("{x} ** 2", "-1e-3", "(-1e-3) ** 2"),
        ("f({x})", "*groups, b", "f(*groups, b)"),
    ],
)
def test_parentheses_where_the_place_needs_them(template: str, value: str, expected: str) -> None:
    assert render(template, {"x": value}) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "f(g, c=1)"),
        ({"a": "1"}, "f(g, a=1, c=1)"),
        ({"b": "2"}, "f(g, b=2, c=1)"),
        ({"a": "1", "b": "2"}, "f(g, a=1, b=2, c=1)"),
    ],
)
def test_an_argument_the_user_left_out_is_dropped(arguments: dict[str, str], expected: str) -> None:
    assert render("f(g, a={a?}, b={b?}, c=1)", arguments) == expected
    assert render("f(a={a?}, b={b?}, c=1)", arguments) == expected.replace("g, ", "")
    assert render("f(c=1, a={a?}, b={b?})", arguments).count(",") == len(arguments)


def test_a_default_is_written_out_where_optax_has_another() -> None:
    rule = RULES["Momentum"]
    assert render("optax.trace({beta})", {}, defaults(rule)) == "optax.trace(0.9)"


@pytest.mark.parametrize("zero", ["0", "0.0", "0."])
def test_a_decay_of_zero_is_no_decay(zero: str) -> None:
    arguments = bind(ADAM, ["1e-3"], {"weight_decay": zero})
    assert write(ADAM, arguments) == "optax.adam(1e-3)"


def test_a_decay_known_at_run_time_only_is_a_decay() -> None:
    arguments = bind(ADAM, ["lr", "0.9"], {"weight_decay": "config.wd"})
    assert write(ADAM, arguments) == "optax.adamw(lr, b1=0.9, weight_decay=config.wd)"
    assert write_unscaled(ADAM, arguments) == (
        "optax.chain(optax.scale_by_adam(b1=0.9), optax.add_decayed_weights(config.wd))"
    )


@pytest.mark.parametrize("name", ["LARS", "WeightNorm"])
def test_a_rate_that_is_not_last_cannot_be_left_out(name: str) -> None:
    assert choose(RULES[name], {}).unscaled is None


@pytest.mark.parametrize("argument", ["beta1", "weight_decay_rate"])
def test_adafactors_rate_is_not_last_with(argument: str) -> None:
    assert write_unscaled(ADAFACTOR, {"learning_rate": "0.1", argument: "0.9"}) is None
    assert write_unscaled(ADAFACTOR, {"learning_rate": "0.1"}) is not None


def test_a_rate_in_the_state() -> None:
    arguments = bind(RULES["LARS"], [], {"beta": "0.8"})
    assert write_injected(RULES["LARS"], arguments) == (
        "optax.inject_hyperparams("
        "lambda learning_rate: optax.lars(learning_rate, momentum=0.8))(learning_rate=0.0)"
    )
    assert write_injected(RULES["LARS"], {"learning_rate": "lr"}).endswith("(learning_rate=lr)")


def test_centered_known_at_run_time_only() -> None:
    arguments = {"learning_rate": "lr", "centered": "config.centered"}
    assert write_unscaled(RULES["RMSProp"], arguments) == (
        "(optax.scale_by_stddev if config.centered else optax.scale_by_rms)(eps_in_sqrt=False)"
    )
