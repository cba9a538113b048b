"""How programs saved: at the root, in a state, replicated, as bytes, pickled, in folders; by real flax and by hand."""

import os
import pickle
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import serialization
from flax.training.train_state import TrainState
from saved import adam, data, momentum

from flax2optax.checkpoint import CheckpointError, convert_state_dict, packing, restore_checkpoint
from flax2optax.cli import main

VERSIONS = ("0.1.0", "0.2.2", "0.3.2", "0.3.6", "0.5.3")


def state_of(params: Any, tx: Any) -> TrainState:
    return TrainState.create(apply_fn=None, params=params, tx=tx).replace(step=jnp.int32(0))


def assert_adam(found: Any, step: int, written: dict[str, Any] | None = None) -> None:
    assert found.step == found.opt_state[0].count == step
    assert found.step.dtype == np.int32
    old = written or adam()
    moments = old["state"]["param_states"]
    jax.tree_util.tree_map(np.testing.assert_array_equal, found.params, old["target"])
    for path in (("dense", "kernel"), ("conv", "bias")):
        for field, name in (("mu", "grad_ema"), ("nu", "grad_sq_ema")):
            new = getattr(found.opt_state[0], field)[path[0]][path[1]]
            np.testing.assert_array_equal(new, moments[path[0]][path[1]][name])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("layout", ["bytes", "nested", "replicated", "pickle"])
def test_what_real_flax_wrote_is_restored(
    layout: str, version: str, written: dict[str, Path]
) -> None:
    source = written[version] / f"layouts.float32.{layout}"
    params = adam()["target"]
    template: Any = state_of(params, optax.adam(1e-2))
    if layout == "replicated":
        template = jax.tree_util.tree_map(lambda x: jnp.stack([x, x]), template)
    if layout == "nested":
        stats = {"batch_stats": jnp.zeros(3)}
        template = {"optimizer": template, "model_state": stats, "epoch": 0}
    found = restore_checkpoint(source, template, allow_pickle=layout == "pickle")
    if layout == "nested":
        assert found["epoch"] == 7
        np.testing.assert_array_equal(found["model_state"]["batch_stats"], np.arange(3))
        found = found["optimizer"]
    assert np.all(found.step == 2)
    assert np.all(found.opt_state[0].count == 2)
    assert found.opt_state[0].mu["dense"]["kernel"].shape[-2:] == (4, 3)
    assert np.all(found.opt_state[0].mu["dense"]["kernel"] != 0)


def test_old_weight_norm_is_refused(written: dict[str, Path]) -> None:
    from flax2optax.checkpoint.target import make_target

    source = written["0.3.2"] / "weight_norm.old.root"
    template = state_of(adam()["target"], make_target("WeightNorm(Momentum())", {}).tx)
    with pytest.raises(CheckpointError, match=r"flax before 0\.4\.0"):
        restore_checkpoint(source, template)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_parameter_without_axes(version: str, written: dict[str, Path]) -> None:
    template = state_of({"log_alpha": jnp.zeros(())}, optax.adam(1e-2))
    found = restore_checkpoint(written[version] / "layouts.scalar.bytes", template)
    assert found.opt_state[0].mu["log_alpha"] != 0


@pytest.mark.parametrize(
    "tx",
    [
        optax.adamw(0.1, weight_decay=0.1),
        optax.adam(optax.constant_schedule(0.1)),
        optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1)),
        optax.inject_hyperparams(lambda learning_rate: optax.adam(learning_rate))(
            learning_rate=0.5
        ),
        optax.chain(optax.scale_by_adam(), optax.scale_by_schedule(lambda count: -0.1)),
    ],
    ids=["adamw", "schedule", "clip", "inject", "chain"],
)
def test_every_counter_moves_and_the_rest_is_the_programs(tx: Any) -> None:
    new = convert_state_dict(adam(step=9), tx=tx)
    opt_state = serialization.from_state_dict(tx.init(adam()["target"]), new["opt_state"])
    counts = [value for name, value in optax.tree_utils.tree_get_all_with_path(opt_state, "count")]
    assert counts
    assert all(count == 9 and count.dtype == np.int32 for count in counts)
    (moment,) = [value for _, value in optax.tree_utils.tree_get_all_with_path(opt_state, "mu")]
    np.testing.assert_array_equal(
        moment["dense"]["kernel"], adam()["target"]["dense"]["kernel"] + 1
    )
    rates = optax.tree_utils.tree_get_all_with_path(opt_state, "learning_rate")
    assert [float(rate) for _, rate in rates] == ([0.5] if "hyperparams" in str(opt_state) else [])


def test_lars_momentum_is_negated_and_momentum_is_not() -> None:
    lars = convert_state_dict(momentum(), tx=optax.lars(0.1))["opt_state"]
    sgd = convert_state_dict(momentum(), tx=optax.sgd(0.1, momentum=0.9))["opt_state"]
    old = momentum()["state"]["param_states"]["conv"]["bias"]["momentum"]
    np.testing.assert_array_equal(lars["3"]["trace"]["conv"]["bias"], -old)
    np.testing.assert_array_equal(sgd["0"]["trace"]["conv"]["bias"], old)


def test_several_optimizers_and_explicit_parts() -> None:
    old = {"actor": adam(step=4), "critic": momentum(), "steps": 12}
    new = convert_state_dict(
        old, tx={"actor": optax.adam(0.1), "critic": optax.sgd(0.1, momentum=0.9)}
    )
    assert new["actor"]["opt_state"]["0"]["count"] == 4
    assert set(new["critic"]) == {"step", "params", "opt_state"}
    assert new["steps"] == 12
    apart = convert_state_dict(
        old, tx={"": optax.adam(0.1), "critic": optax.sgd(0.1, 0.9)}, form="explicit"
    )
    assert set(apart["actor"]) == set(apart["critic"]) == {"params", "opt_state"}


def test_what_is_left_out_or_cast_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "old").write_bytes(data(momentum()))
    (folder / "own_half.py").write_text(
        "import optax\ntx = optax.sgd(0.1, 0.9, accumulator_dtype='bfloat16')\n"
    )
    options = ["--form", "explicit", "--tx", "own_half:tx"]
    assert main(["checkpoint", "old", "new", *options]) == 2
    assert main(["checkpoint", "old", "new", *options, "--cast"]) == 0
    told = capsys.readouterr().err
    assert "nothing in the new state counts steps, so the step is left out" in told
    assert "5 leaves are cast" in told
    assert set(serialization.msgpack_restore((folder / "new").read_bytes())) == {
        "params",
        "opt_state",
    }


def test_a_template_with_the_parts_beside_the_rest() -> None:
    tx = optax.adam(0.1)
    template = {"params": adam()["target"], "opt_state": tx.init(adam()["target"]), "epoch": 0}
    new = convert_state_dict({"optimizer": adam(), "epoch": 3}, template=template, tx=tx)
    assert set(new) == {"params", "opt_state", "epoch"}
    assert new["opt_state"]["0"]["count"] == 3


def test_replicas_are_kept_or_made_one() -> None:
    many = jax.tree_util.tree_map(lambda x: jnp.stack([x, x]), adam())
    kept = convert_state_dict(many, tx=optax.adam(0.1))
    assert kept["opt_state"]["0"]["mu"]["dense"]["kernel"].shape == (2, 4, 3)
    assert kept["step"].shape == kept["opt_state"]["0"]["count"].shape == (2,)
    one = convert_state_dict(many, tx=optax.adam(0.1), unreplicate=True)
    assert one["step"].shape == ()
    np.testing.assert_array_equal(
        one["params"]["conv"]["kernel"], adam()["target"]["conv"]["kernel"]
    )


def test_labels_of_the_programs_own_are_found_by_shape() -> None:
    target = adam()["target"]
    old = {"target": target, "state": {
        "0": {"step": np.int32(2), "param_states": {"0": {"momentum": target["conv"]["kernel"]}}},
        "1": {"step": np.int32(2), "param_states": {"0": {"momentum": target["dense"]["kernel"]}}},
    }}  # fmt: skip
    labels = {
        "conv": {"kernel": "far", "bias": "frozen"},
        "dense": {"kernel": "near", "bias": "frozen"},
        "other": {"embedding": "frozen"},
    }
    sgd = optax.sgd(0.1, momentum=0.9)
    tx = optax.partition({"near": sgd, "far": sgd, "frozen": optax.set_to_zero()}, labels)
    new = convert_state_dict(old, tx=tx)["opt_state"]["inner_states"]
    np.testing.assert_array_equal(
        new["near"]["inner_state"]["0"]["trace"]["dense"]["kernel"], target["dense"]["kernel"]
    )
    old["target"]["dense"]["kernel"] = target["conv"]["kernel"]
    old["state"]["1"]["param_states"]["0"]["momentum"] = target["conv"]["kernel"]
    with pytest.raises(CheckpointError, match="more than one way fits"):
        convert_state_dict(old, tx=tx)


def test_a_folder_is_converted_in_order_and_under_its_names(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "run").mkdir()
    for step in (2, 10, 9):
        (folder / "run" / f"ckpt_{step}").write_bytes(data(adam(step=step)))
    (folder / "run" / "ckpt_tmp").write_bytes(b"half")
    assert main(["checkpoint", "run", "new", "--optimizer", "adam"]) == 0
    assert sorted(os.listdir("new")) == ["ckpt_10", "ckpt_2", "ckpt_9"]
    assert restore_checkpoint("run", state_of(adam()["target"], optax.adam(0.1))).step == 10
    assert main(["checkpoint", "run", "one", "--optimizer", "adam", "--step", "9"]) == 0
    assert os.listdir("one") == ["ckpt_9"]
    assert main(["checkpoint", "run", "none", "--optimizer", "adam", "--step", "3"]) == 2
    (folder / "run" / "best_1").write_bytes(data(adam()))
    capsys.readouterr()
    assert main(["checkpoint", "run", "many", "--optimizer", "adam"]) == 2
    assert "best_…, ckpt_…: name one by --prefix" in capsys.readouterr().err
    assert main(["checkpoint", "run", "many", "--optimizer", "adam", "--prefix", "best_"]) == 0


def test_large_arrays_in_chunks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = serialization.msgpack_serialize
    monkeypatch.setattr(serialization, "MAX_CHUNK_SIZE", 20)
    (folder / "old").write_bytes(old(jax.tree_util.tree_map(np.asarray, adam())))
    monkeypatch.setattr(packing, "MAX_CHUNK", 36)
    assert main(["checkpoint", "old", "new", "--optimizer", "adam"]) == 0
    state = state_of(adam()["target"], optax.adam(0.1))
    assert b"__msgpack_chunked_array__" in (folder / "new").read_bytes()
    assert_adam(serialization.from_bytes(state, (folder / "new").read_bytes()), 3)


def test_the_dry_run_prints_the_mapping_and_writes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "old").write_bytes(data({"optimizer": momentum(), "epoch": 3}))
    assert main(["checkpoint", "old", "new", "--optimizer", "lars", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "optimizer: LARS or Momentum, step 5, 5 parameters" in lines
    assert "optimizer: the sign of 5 leaves is turned, as LARS has it in Optax" in lines
    assert (
        "  optimizer/state/param_states/dense/kernel/momentum -> "
        "optimizer/opt_state/3/trace/dense/kernel  (4, 3) float32, sign turned"
    ) in lines
    assert "  epoch -> epoch  3" in lines
    assert os.listdir() == ["old"]


def test_inspect_prints_any_tree(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "old").write_bytes(data({"params": {"w": np.ones((2, 3), np.float32)}, "rate": 0.5}))
    assert main(["checkpoint", "--inspect", "old"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "old",
        "  params/w  (2, 3) float32",
        "  rate  0.5",
        "there is no optimizer of flax.optim in it; at the root there is params, rate",
    ]


def test_pickles_of_every_protocol() -> None:
    from flax2optax.checkpoint.pickled import unpickle

    held = jax.tree_util.tree_map(np.asarray, adam("bfloat16"))
    for protocol in range(6):
        tree = unpickle(pickle.dumps(held, protocol))
        np.testing.assert_array_equal(
            tree["target"]["conv"]["bias"].to_numpy(), held["target"]["conv"]["bias"]
        )
