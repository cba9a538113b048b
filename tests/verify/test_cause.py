"""The known traps, told from a recording."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recordings import LR, flax_step, optax_step, written

from flax2optax.verify.cause import likely_cause

P = {"w": np.asarray([0.5, -2.0, 1.5]), "b": np.asarray([0.25, 1.0])}
G = {"w": np.asarray([0.1, 0.4, -0.3]), "b": np.asarray([-0.2, 0.7])}
DECAY = 0.01
SQUARE = {key: 0.1 * g**2 for key, g in G.items()}


def moved(by: Any) -> dict[str, Any]:
    return {key: P[key] + by(P[key], G[key], SQUARE[key]) for key in P}


def plain(p: Any, g: Any, v: Any) -> Any:
    return -LR * g


def decayed(p: Any, g: Any, v: Any) -> Any:
    return -LR * (g + DECAY * p)


def rms(p: Any, g: Any, v: Any) -> Any:
    return -LR * g / (np.sqrt(v) + 1e-3)


def cause(folder: Path, old: Any, new: Any, optimizer: str = "Momentum", **more: Any) -> str:
    grads = more.pop("grads", G)
    before = flax_step(0, P, G, moved(old), **more)
    after = optax_step(0, P, grads, new if isinstance(new, dict) else moved(new))
    return likely_cause(
        written(folder / "old", [before], optimizer), written(folder / "new", [after])
    )


def test_what_is_not_known_is_not_guessed(tmp_path: Path) -> None:
    noise = lambda p, g, v: -LR * np.cos(17 * p)  # noqa: E731
    assert cause(tmp_path, plain, noise, "Adam") == ""


def test_a_constant_rate_is_never_off_by_one(tmp_path: Path) -> None:
    """Too small a difference to be seen in the whole step is no neighbour's rate."""
    new = lambda p, g, v: -LR * g * (1 + 1e-7 * np.arange(1, p.size + 1))  # noqa: E731
    assert cause(tmp_path, plain, new, "Adam") == ""


def test_a_frozen_leaf_that_is_trained(tmp_path: Path) -> None:
    old = flax_step(0, P, G, {"w": P["w"] - LR * G["w"], "b": P["b"]})
    new = optax_step(0, P, G, moved(plain))
    files = written(tmp_path / "old", [old]), written(tmp_path / "new", [new])
    assert likely_cause(*files).startswith("b is frozen in flax")


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (lambda p, g, v: LR * g, "sign is turned"),
        (lambda p, g, v: g, "learning rate is missing"),
        (lambda p, g, v: -1.7 * LR * g, "1.7 times that of flax"),
        (decayed, "parameters shrink by 0.001 more per step"),
    ],
)
def test_after_plain_descent(tmp_path: Path, new: Any, words: str) -> None:
    assert words in cause(tmp_path, plain, new, "GradientDescent")


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (lambda p, g, v: -LR * (0.5 * g + DECAY * np.sin(p)), "coupled differently"),
        (lambda p, g, v: -LR * g + DECAY * p, "weights grow"),
        (lambda p, g, v: -LR * g, "decay of 0.01 is missing"),
    ],
)
def test_after_a_decay(tmp_path: Path, new: Any, words: str) -> None:
    hyper = {"weight_decay": np.float64(DECAY)}
    assert words in cause(tmp_path, decayed, new, "Adam", hyper=hyper)


def test_a_clip_that_is_missing(tmp_path: Path) -> None:
    grads = {key: 4 * g for key, g in G.items()}
    found = cause(tmp_path, plain, lambda p, g, v: -4 * LR * g, grads=grads)
    assert found.startswith("A clip is missing: the gradients that arrive are 4 times")


def test_eps_inside_the_root(tmp_path: Path) -> None:
    state = {f"param_states/{key}/v": v for key, v in SQUARE.items()}
    found = cause(
        tmp_path,
        rms,
        lambda p, g, v: -LR * g / np.sqrt(v + 1e-3),
        "RMSProp",
        state=state,
        hyper={"eps": np.float64(1e-3)},
    )
    assert "eps is inside the square root" in found


def test_momentum_that_is_missing_from_the_second_step_on(tmp_path: Path) -> None:
    half = {key: P[key] - LR * G[key] for key in P}
    steps = [P, half, {key: half[key] - 1.9 * LR * G[key] for key in P}]
    wrong = [
        P,
        half,
        {key: half[key] - LR * np.asarray([1.0, 2.0, 3.0, 1.0, 5.0])[: P[key].size] for key in P},
    ]
    later = {key: (half[key] - wrong[2][key]) / LR for key in P}
    old = [flax_step(n, steps[n], g, steps[n + 1]) for n, g in enumerate((G, later))]
    new = [optax_step(n, wrong[n], g, wrong[n + 1]) for n, g in enumerate((G, later))]
    files = written(tmp_path / "old", old, "Momentum"), written(tmp_path / "new", new)
    assert likely_cause(*files).startswith("The momentum is missing")


def test_a_schedule_that_is_off_by_one(tmp_path: Path) -> None:
    def side(make: Any, rates: Any) -> Any:
        found, params = [], P
        for number, rate in enumerate(rates):
            new = {key: params[key] - rate * G[key] for key in P}
            found.append(make(number, params, G, new))
            params = new
        return found

    rates = [0.1, 0.2, 0.4, 0.8]
    old = side(flax_step, rates[:3])
    for step, rate in zip(old, rates, strict=False):
        step["hyper"]["learning_rate"] = np.float64(rate)
    files = written(tmp_path / "old", old), written(tmp_path / "new", side(optax_step, rates[1:]))
    assert likely_cause(*files).startswith("The schedule is off by one step")
