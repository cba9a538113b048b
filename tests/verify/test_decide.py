"""From comparisons to an answer."""

import math
from dataclasses import replace

import pytest

from flax2optax.verify.decide import decide
from flax2optax.verify.evidence import Evidence
from flax2optax.verify.verdict import NOT_FINITE, Verdict

WRONG = Verdict(False, 1e9, "params/w", 3, "differs by 1, rounding makes 1e-9")
ROUNDING = Verdict(True, 0.5, "params/w", 2, "")
SAME = Verdict(True, 0.0, "", 0, "")


def free(verdict: Verdict, spread: float = 1e-14, disturbed: bool = True) -> Evidence:
    return Evidence("free run in float64", verdict, steps=5, spread=spread, disturbed=disturbed)


def replay(verdict: Verdict) -> Evidence:
    return Evidence("replay in float64", verdict, steps=5)


def test_a_difference_names_its_place() -> None:
    found = decide(free(WRONG), replay(SAME), True, True)
    assert found.answer == "differs"
    assert found.sentence == (
        "The programs differ first at step 3, in params/w: differs by 1, rounding makes 1e-9."
    )


def test_other_trees_are_a_difference_whatever_else() -> None:
    other = Evidence("free", Verdict(False, math.inf, "", 0, "4 steps before, 3 after"))
    found = decide(other, None, False, False)
    assert (found.answer, found.sentence) == (
        "differs",
        "The programs differ: 4 steps before, 3 after.",
    )


def test_chaos_without_a_replay_is_no_proof() -> None:
    found = decide(free(WRONG, spread=0.1), None, True, True)
    assert found.answer == "not run"
    assert "Rounding alone drives the program 10.0% of its way apart" in found.sentence


def test_where_the_free_run_cannot_decide_replay_does() -> None:
    assert decide(free(WRONG, spread=0.1), replay(WRONG), True, True).answer == "differs"
    assert (
        decide(free(WRONG, spread=0.1), replay(ROUNDING), True, True).answer == "equal to rounding"
    )
    assert decide(free(WRONG), replay(SAME), True, False).answer == "equal"
    assert decide(free(WRONG, disturbed=False), replay(SAME), True, True).answer == "equal"


def test_what_rounding_drives_apart_is_not_equal_because_it_is_within_that() -> None:
    """Controls that part widely allow anything; only the same bits need no second look."""
    chaos = replace(free(ROUNDING, spread=0.1), calm=0.25)
    assert decide(chaos, replay(WRONG), True, True).answer == "differs"
    assert decide(chaos, replay(SAME), True, True).answer == "equal"
    assert decide(chaos, None, True, True).answer == "not run"
    assert decide(free(SAME, spread=0.1), None, True, True).answer == "equal"


def test_a_mistake_does_not_hide_behind_a_little_chaos() -> None:
    restless = free(ROUNDING, spread=1e-5)
    assert decide(restless, replay(WRONG), True, True).answer == "differs"
    assert decide(restless, replay(ROUNDING), True, True).answer == "equal to rounding"
    assert decide(restless, None, True, True).answer == "equal to rounding"
    assert decide(free(ROUNDING), replay(WRONG), True, True).answer == "equal to rounding"


def test_the_first_step_starts_from_the_same_parameters_and_has_to_agree() -> None:
    """Replay does not see what happens to gradients before they arrive, as a clip that is missing."""
    first = free(replace(WRONG, step=1), spread=0.1)
    assert decide(first, replay(SAME), True, True).answer == "differs"
    assert decide(first, replay(SAME), False, True).answer == "differs"
    assert decide(first, replay(SAME), True, False).answer == "equal"
    assert decide(replace(first, disturbed=False), replay(SAME), True, True).answer == "equal"


def test_a_few_restless_parameters_do_not_spoil_a_proof() -> None:
    """The bias before a BatchNorm has no gradient but rounding, which Adam makes a step of."""
    found = decide(replace(free(ROUNDING, spread=0.9), calm=0.75), None, True, True)
    assert found.answer == "equal to rounding"
    assert found.notes == ("25% of the parameters say nothing.",)
    assert decide(replace(free(WRONG, spread=0.9), calm=0.75), None, True, True).answer == "not run"


def test_a_nan_in_the_programs_own_type_counts_where_the_program_before_has_none() -> None:
    """Flax's own bias corrections give NaN in half types; there the program after is the better one."""
    own = Evidence("own", Verdict(False, math.inf, "params/w", 2, NOT_FINITE), steps=5)
    assert decide(free(SAME), None, True, True, own).answer == "differs"
    assert decide(free(SAME), None, True, True, replace(own, finite=False)).answer == "equal"
    assert decide(free(SAME), None, True, True, replace(own, verdict=WRONG)).answer == "equal"


def test_outside_of_float64_both_must_agree() -> None:
    assert decide(free(WRONG), replay(SAME), False, True).answer == "differs"
    assert decide(free(ROUNDING), replay(WRONG), False, True).answer == "differs"
    assert decide(free(ROUNDING), None, False, True).answer == "not run"
    assert decide(free(ROUNDING), replay(ROUNDING), False, True).answer == "equal to rounding"


@pytest.mark.parametrize(("verdict", "answer"), [(SAME, "equal"), (ROUNDING, "equal to rounding")])
def test_the_same_in_float64_is_enough(verdict: Verdict, answer: str) -> None:
    assert decide(free(verdict), None, True, True).answer == answer
