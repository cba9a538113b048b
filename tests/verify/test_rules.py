"""`flax2optax verify --rules`: a rule that is wrong first, then what a whole run tells."""

from collections.abc import Sequence

import pytest

from flax2optax.cli import main
from flax2optax.verify import fetch, rules
from flax2optax.verify.mutants.catalogue import Program
from flax2optax_rules import RULES

SGD = Program("optim.GradientDescent(0.1)", "optax.sgd(0.1)")
WRONG = Program("optim.GradientDescent(0.1)", "optax.sgd(0.1 * (1 + 1e-9))")
ADAM = Program("optim.Adam(1e-3, weight_decay=0.1)", "optax.adamw(1e-3, weight_decay=0.1)")


def told(
    programs: Sequence[Program], monkeypatch: pytest.MonkeyPatch, *types: str
) -> tuple[int, list[str]]:
    lines: list[str] = []
    monkeypatch.setattr(rules, "programs", lambda: iter(programs))
    return rules.check_rules(fetch(), lines.append, types), lines


def test_a_rule_that_is_a_little_wrong_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    code, lines = told([SGD, WRONG], monkeypatch, "float64")
    assert code == 1
    assert lines[1].split() == ["optim.GradientDescent(0.1)", "equal"]
    assert float(lines[2].split()[-1]) > 1e5
    assert lines[3].startswith(
        "2 examples, 1 do not agree; the numbers are ratios, 32 is the limit"
    )


def test_a_half_type_that_flax_cannot_train_in_does_not_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, lines = told([ADAM], monkeypatch, "float32", "bfloat16")
    assert code == 0
    assert lines[1].split()[-1] == "NaN"


def test_every_example_of_every_rule_is_trained() -> None:
    trained = {(one.flax, one.optax) for one in rules.programs()}
    assert {(e.before, e.after) for rule in RULES.values() for e in rule.examples} < trained
    assert any(one.clip for one in rules.programs())


def test_the_command_trains_in_four_types(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rules, "programs", lambda: iter([SGD]))
    assert main(["verify", "--rules"]) == 0
    head, line, end = capsys.readouterr().out.splitlines()
    assert head.split() == ["example", "float64", "float32", "bfloat16", "float16"]
    assert line.split() == ["optim.GradientDescent(0.1)", *["equal"] * 4]
    assert end.startswith("1 examples, 0 do not agree")


@pytest.mark.parametrize(
    "words", [["."], ["--probe", "a:b"], ["--platform", "cpu"], ["--", "true"]]
)
def test_nothing_else_goes_with_it(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--rules", *words]) == 2
    assert "--rules trains our own examples and takes only --reference" in capsys.readouterr().err
