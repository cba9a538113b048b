"""What cannot be converted: a sentence, exit 2, and nothing written."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.training.train_state import TrainState
from saved import adam, data, momentum

from flax2optax.cli import main

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def convert(content: bytes | None, *options: str, place: str = "new") -> tuple[int, str]:
        if content is not None:
            Path("old").write_bytes(content)
        code = main(["checkpoint", "old", place, *options])
        return code, capsys.readouterr().err

    return convert


class Runs:
    """A pickle that makes a folder when it is read."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("was_run",)


def broken(change: Callable[[dict[str, Any]], object]) -> bytes:
    tree = adam()
    change(tree)
    return data(tree)


def of_param(tree: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = tree["state"]["param_states"]["dense"]["kernel"]
    return found


ADAM = ("--optimizer", "adam")
REFUSED = [
    ("an empty file", b"", ADAM, "it is empty"),
    ("one zero byte", b"\0", ADAM, "there is no optimizer of flax.optim in it"),
    ("many zero bytes", bytes(100), ADAM, "99 bytes follow the last value"),
    ("a text", b"hello, this is no checkpoint", ADAM, "it is damaged, or no checkpoint of flax"),
    ("an image", b"\x89PNG\r\n\x1a\n" + bytes(50), ADAM, "it is damaged, or no checkpoint of flax"),
    ("half a file", data(adam())[:700], ADAM, "too early"),
    ("a file and a byte", data(adam()) + b"\0", ADAM, "1 bytes follow the last value"),
    (
        "a TrainState",
        data({"step": 1, "params": {"w": np.ones(3)}, "opt_state": {}}),
        ADAM,
        "there is nothing to convert: (the root) holds `params` and `opt_state`",
    ),
    ("parameters alone", data({"kernel": np.ones(3)}), ADAM, "at the root there is kernel"),
    ("a pickle", pickle.dumps({"a": 1}), ADAM, "pass --allow-pickle"),
    (
        "a pickle of something else",
        pickle.dumps({"a": {1, 2}}),
        (*ADAM, "--allow-pickle"),
        "it holds set",
    ),
    (
        "a pickle that runs code",
        pickle.dumps({"a": Runs()}),
        (*ADAM, "--allow-pickle"),
        "the pickle asks for posix.mkdir",
    ),
    ("nothing said of the program", data(adam()), (), "is AdaBelief or Adam or LAMB, step 3" [:27]),
    (
        "an optimizer of another kind",
        data(adam()),
        ("--optimizer", "momentum"),
        "opt_state/0/trace/dense/kernel: it needs `momentum`, "
        "the old state of the parameter has grad_ema, grad_sq_ema",
    ),
    ("an optimizer that never was", data(adam()), ("--optimizer", "adamax"), "known are AdaBelief, "),
    ("another name", data(adam()), ("--optimizer", "actor=adam"), "no optimizer 'actor'; there is (the root)"),
    (
        "a rate that is not applied last",
        data(momentum()),
        ("--optimizer", "lars", "--rate", "step"),
        "use --rate state",
    ),
    (
        "a state missing",
        broken(lambda tree: tree["state"]["param_states"]["dense"].pop("bias")),
        ADAM,
        "state/param_states/dense/bias is missing",
    ),
    (
        "a moment missing",
        broken(lambda tree: of_param(tree).pop("grad_ema")),
        ADAM,
        "opt_state/0/mu/dense/kernel: it needs `grad_ema`",
    ),
    (
        "a moment too many",
        broken(lambda tree: of_param(tree).update(third=np.ones(3))),
        ADAM,
        "state/param_states/dense/kernel/third: there is no place for it",
    ),
    (
        "another shape",
        broken(lambda tree: of_param(tree).update(grad_ema=np.ones((2, 2), np.float32))),
        ADAM,
        "opt_state/0/mu/dense/kernel: the shape is (4, 3), the old one (2, 2)",
    ),
    (
        "another dtype",
        broken(lambda tree: of_param(tree).update(grad_ema=np.ones((4, 3), np.float16))),
        ADAM,
        "opt_state/0/mu/dense/kernel: the dtype is float32, the old one float16",
    ),
    (
        "a step that is none",
        broken(lambda tree: tree["state"].update(step=np.float32(1))),
        ADAM,
        "the step of (the root) is not a number of steps",
    ),
    ("a hyperparameter that is none", data(adam()), (*ADAM, "--eps", "banana"), "NameError: name 'banana'"),
    ("groups and an optimizer", data(adam()), (*ADAM, "--group", "kernel=Adam"), "two ways to say the same"),
    ("hyperparameters of nothing", data(adam()), ("--beta1", "0.9"), "hyperparameters need the --optimizer"),
    ("a module that is not there", data(adam()), ("--tx", "nowhere:tx"), "nowhere:tx cannot be imported"),
    ("no module at all", data(adam()), ("--tx", "tx"), "'tx' is not MODULE:ATTR"),
    ("something else than tx", data(adam()), ("--tx", "os:sep"), "os:sep is str, not a gradient transformation"),
    ("no folder for it", data(adam()), (*ADAM, "--unreplicate"), "it is not replicated"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [one[1:] for one in REFUSED],
    ids=[one[0].replace(" ", "_") for one in REFUSED],
)
def test_it_is_refused(run: Run, content: bytes, options: tuple[str, ...], sentence: str) -> None:
    code, told = run(content, *options)
    assert code == 2
    assert sentence in told
    assert "Traceback" not in told
    assert os.listdir() == ["old"]
    assert Path("old").read_bytes() == content


def test_a_source_that_is_not_there(run: Run) -> None:
    assert run(None, *ADAM) == (2, "Error: old does not exist\n")


def test_an_existing_place_needs_force(run: Run) -> None:
    Path("new").write_bytes(b"mine")
    code, told = run(data(adam()), *ADAM)
    assert (code, Path("new").read_bytes()) == (2, b"mine")
    assert "new exists already; pass --force to replace it" in told
    assert run(data(adam()), *ADAM, "--force")[0] == 0
    assert Path("new").read_bytes() != b"mine"


@pytest.mark.parametrize("place", ["old", "./old", "link"])
def test_the_source_is_never_written(run: Run, place: str) -> None:
    Path("link").symlink_to("old")
    code, told = run(data(adam()), *ADAM, "--force", place=place)
    assert code == 2
    assert "the source is never touched" in told
    assert Path("old").read_bytes() == data(adam())


def test_a_folder_that_is_not_there(run: Run) -> None:
    assert "does not exist" in run(data(adam()), *ADAM, place="nowhere/new")[1]


def test_a_sign_that_cannot_be_known(run: Run) -> None:
    Path("own_warm.py").write_text(
        "import optax, jax.numpy as jnp\n"
        "warm = lambda count: jnp.where(count < 10, 0., 1.)\n"
        "tx = optax.chain(optax.scale_by_learning_rate(warm), optax.trace(0.9))\n"
    )
    code, told = run(data(momentum()), "--tx", "own_warm:tx")
    assert code == 2
    assert (
        "it may be the state of LARS or Momentum, which differ in sign: name the optimizer" in told
    )
    assert run(data(momentum()), "--tx", "own_warm:tx", "--optimizer", "lars")[0] == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda tree: tree["extra"], "extra: the template does not have it"),
        (lambda tree: tree["params"]["dense"].pop("bias"), "params/dense/bias: the template does not have it"),
    ],
)  # fmt: skip
def test_a_template_of_another_shape(change: Any, sentence: str) -> None:
    from flax2optax.checkpoint import CheckpointError, convert_state_dict

    old = {"optimizer": adam(), "extra": np.ones(2)}
    parameters = adam()["target"]
    if "dense" in sentence:
        old.pop("extra")
        parameters["dense"].pop("bias")
    template = {
        "optimizer": TrainState.create(apply_fn=None, params=parameters, tx=optax.adam(0.1))
    }
    with pytest.raises(CheckpointError) as error:
        convert_state_dict(old, template=template)
    assert "bias" in str(error.value) if "dense" in sentence else sentence in str(error.value)


def test_replicas_that_differ(run: Run) -> None:
    many = jax.tree_util.tree_map(lambda x: jnp.stack([x, x]), adam())
    many["target"]["dense"]["kernel"] = many["target"]["dense"]["kernel"].at[1, 0, 0].add(1)
    code, told = run(data(many), *ADAM, "--unreplicate")
    assert code == 2
    assert "the replicas of target/dense/kernel differ" in told


def test_a_full_disk_leaves_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, told = run(data(adam()), *ADAM)
    assert (code, os.listdir()) == (2, ["old"])
    assert "new cannot be written: No space left on device" in told
