"""Clips that equal Optax's, however they are written: they move, and the program trains the same."""

from collections.abc import Callable
from pathlib import Path

import pytest
from clip_programs import TREE, migrated, program, step_lines

from flax2optax.verify import compare_programs
from flax2optax.verify.verdict import Verdict

NORM = "optax.clip_by_global_norm(C)"
SCALE = f"grads = {TREE}.tree_map(lambda g: g * scale, grads)"
SUM = f"jnp.sqrt(sum(jnp.sum(g**2) for g in {TREE}.tree_leaves(grads)))"


def scaled_by(norm: str, scale: str = "jnp.minimum(1., C / norm)") -> str:
    return f"norm = {norm}\nscale = {scale}\n{SCALE}"


HELPER = f"""
def global_norm(tree):
  total = 0.
  for leaf in {TREE}.tree_leaves(tree):
    total += jnp.vdot(leaf, leaf)
  return jnp.sqrt(total)


@jax.jit
def clip_gradients(grads, limit=C):
  \"\"\"All of them together.\"\"\"
  norm = global_norm(grads)
  def clip_leaf(g):
    return jnp.where(norm < limit, g, g * (limit / norm))
  return {TREE}.tree_map(clip_leaf, grads)
"""
SHAPES = {
    "vdot of flattened leaves": f"""
flat, _ = {TREE}.tree_flatten(grads)
norm = jnp.sqrt(sum([jnp.vdot(p, p) for p in flat]))
grads = {TREE}.tree_map(lambda g: g * jnp.minimum(1.0, C / norm), grads)
""",
    "sum of squares": scaled_by(SUM),
    "product with itself": scaled_by(
        f"jnp.sqrt(sum(jnp.sum(g * g) for g in {TREE}.tree_leaves(grads)))"
    ),
    "the larger of norm and limit": scaled_by(SUM, "C / jnp.maximum(norm, C)"),
    "clip of the factor": scaled_by(SUM, "jnp.clip(C / norm, 0., 1.)"),
    "where of the factor": scaled_by(SUM, "jnp.where(norm < C, 1., C / norm)"),
    "division by the larger ratio": f"""
divisor = jnp.maximum(1, {SUM} / C)
grads = {TREE}.tree_map(lambda g: g / divisor, grads)
""",
    "norm of norms": scaled_by(
        f"jnp.linalg.norm(jnp.array([jnp.linalg.norm(g) for g in {TREE}.tree_leaves(grads)]))"
    ),
    "norm of raveled leaves": scaled_by(
        f"jnp.linalg.norm(jnp.concatenate([g.ravel() for g in {TREE}.tree_leaves(grads)]))"
    ),
    "tree_reduce": scaled_by(
        f"jnp.sqrt({TREE}.tree_reduce(lambda a, b: a + b, {TREE}.tree_map(lambda g: jnp.sum(jnp.square(g)), grads)))"
    ),
    "tree_map of two trees": scaled_by(
        f"jnp.sqrt(jnp.sum(jnp.stack({TREE}.tree_leaves({TREE}.tree_map(jnp.vdot, grads, grads)))))"
    ),
    "ravel and unravel": """
from jax.flatten_util import ravel_pytree
flat, unravel = ravel_pytree(grads)
grads = unravel(flat * jnp.minimum(1., C / jnp.sqrt(jnp.dot(flat, flat))))
""",
    "flatten and unflatten": f"""
leaves, treedef = {TREE}.tree_flatten(grads)
norm = jnp.sqrt(sum([jnp.sum(g**2) for g in leaves]))
grads = {TREE}.tree_unflatten(treedef, [g * jnp.minimum(1., C / norm) for g in leaves])
""",
    "lax.cond": f"""
norm = {SUM}
grads = jax.lax.cond(
    norm < C,
    lambda tree: tree,
    lambda tree: {TREE}.tree_map(lambda g: g * C / norm, tree),
    grads)
""",
    "a threshold of its own name": f"limit = C\n{scaled_by(SUM, 'jnp.minimum(1., limit / norm)')}",
    "clip_grads of JAX": """
from jax.example_libraries.optimizers import clip_grads
grads = clip_grads(grads, C)
""",
}


@pytest.fixture
def trained(tmp_path: Path) -> Callable[[str, str], Verdict]:
    """The verdict on two texts of one program."""

    def compare(before: str, after: str) -> Verdict:
        for name, text in (("before", before), ("after", after)):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "train.py").write_text(text)
        return compare_programs(tmp_path / "before", tmp_path / "after")

    return compare


def check(before, transformations, tmp_path, trained, kept=()):
    after, said = migrated(before, tmp_path)
    assert f"optax.chain({transformations}, optax.sgd(0.1, momentum=0.9))" in after
    assert step_lines(after) == list(kept)
    assert {code for code, _ in said} == {"FXO601"}
    verdict = trained(before, after)
    assert verdict.equal, verdict
    return after


def test_programs_clip_in_some_steps_and_not_in_others(tmp_path, trained):
    before = program(scaled_by(SUM))
    after, _ = migrated(before, tmp_path)
    never = after.replace(NORM, "optax.identity()")
    always = after.replace(NORM, "optax.normalize_by_update_norm(C)")
    nearly = after.replace(NORM, "optax.clip_by_global_norm(C * (1 + 1e-9))")
    assert [trained(before, wrong).equal for wrong in (never, always, nearly)] == [False] * 3


@pytest.mark.parametrize("shape", SHAPES)
def test_a_global_norm(shape, tmp_path, trained):
    after, said = migrated(program(SHAPES[shape]), tmp_path)
    assert f"optax.chain({NORM}, optax.sgd(0.1, momentum=0.9))" in after
    assert [code for code, _ in said] == ["FXO601"]
    assert not [line for line in step_lines(after) if "import" not in line]
    verdict = trained(program(SHAPES[shape]), after)
    assert verdict.equal, verdict


@pytest.mark.parametrize(
    ("step", "front"),
    [
        ("grads = clip_gradients(grads)", "optax.clip_by_global_norm(C)"),
        ("grads = clip_gradients(grads, 0.3)", "optax.clip_by_global_norm(0.3)"),
        ("grads = clip_gradients(grads, limit=3e-1)", "optax.clip_by_global_norm(3e-1)"),
    ],
)
def test_a_helper(step, front, tmp_path, trained):
    after = check(program(step, HELPER), front, tmp_path, trained)
    assert "def clip_gradients(grads, limit=C):" in after


def test_a_clip_inside_the_call(tmp_path, trained):
    last = "return optimizer.apply_gradient(clip_gradients(grads, C)), loss"
    check(program("", HELPER, last), NORM, tmp_path, trained)


def test_a_clip_of_another_name(tmp_path, trained):
    last = "return optimizer.apply_gradient(clipped), norm"
    step = (
        f"norm = {SUM}\nclipped = {TREE}.tree_map(lambda g: g * jnp.minimum(1., C / norm), grads)"
    )
    check(program(step, last=last), NORM, tmp_path, trained, kept=[f"  norm = {SUM}"])


def test_a_clip_of_an_expression(tmp_path, trained):
    step = "grads = clip_gradients(jax.grad(loss_fn)(optimizer.target, 2 * x))"
    kept = ["  grads = jax.grad(loss_fn)(optimizer.params, 2 * x)"]
    check(program(step, HELPER), NORM, tmp_path, trained, kept)


VALUES = {
    "lambda": f"grads = {TREE}.tree_map(lambda g: jnp.clip(g, -C, C), grads)",
    "partial": "grads = jax.tree_util.tree_map(functools.partial(jnp.clip, min=-C, max=C), grads)",
    "minimum and maximum": f"grads = {TREE}.tree_map(lambda g: jnp.maximum(jnp.minimum(g, C), -C), grads)",
}


@pytest.mark.parametrize("shape", VALUES)
def test_a_clip_by_value(shape, tmp_path, trained):
    check(program(VALUES[shape]), "optax.clip(C)", tmp_path, trained)


def test_by_value_then_by_norm(tmp_path, trained):
    step = f"grads = {TREE}.tree_map(lambda g: jnp.clip(g, -0.2, 0.2), grads)\n" + scaled_by(SUM)
    check(program(step), f"optax.clip(0.2), {NORM}", tmp_path, trained)


def test_by_norm_then_by_value(tmp_path, trained):
    step = scaled_by(SUM) + f"\ngrads = {TREE}.tree_map(lambda g: jnp.clip(g, -0.2, 0.2), grads)"
    check(program(step), f"{NORM}, optax.clip(0.2)", tmp_path, trained)


def test_only_the_last_of_two_where_the_first_is_needed(tmp_path, trained):
    step = f"grads = {TREE}.tree_map(lambda g: jnp.clip(g, -0.2, 0.2), grads)\n" + scaled_by(SUM)
    kept = [
        f"  grads = {TREE}.tree_map(lambda g: jnp.clip(g, -0.2, 0.2), grads)",
        f"  norm = {SUM}",
    ]
    last = "return optimizer.apply_gradient(grads), norm"
    check(program(step, last=last), NORM, tmp_path, trained, kept)


def test_an_epsilon_stays_unless_asked(tmp_path, trained):
    before = program(scaled_by(SUM, "jnp.minimum(1., C / (norm + 1e-6))"))
    kept, said = migrated(before, tmp_path)
    assert NORM not in kept
    assert "epsilon of 1e-06" in said[0][1]
    assert trained(before, kept).equal
    after, said = migrated(before, tmp_path, unsafe=True)
    assert NORM in after
    assert "epsilon of 1e-06" in said[0][1]
    assert trained(before.replace(" + 1e-6", ""), after).equal
    assert not trained(before, after).equal


def test_two_steps_that_clip_alike(tmp_path, trained):
    head = """
def other_step(optimizer, x):
  grads = jax.grad(loss_fn)(optimizer.target, x)
  return optimizer.apply_gradient(clip_gradients(grads, C))
"""
    last = "optimizer = other_step(optimizer, x)\n" + "return optimizer.apply_gradient(grads), loss"
    before = program("grads = clip_gradients(grads)", HELPER + "\n" + head, last)
    after = check(before, NORM, tmp_path, trained, ["  optimizer = other_step(optimizer, x)"])
    assert "return optimizer.apply_gradients(grads=grads)\n" in after


def test_comments_stay(tmp_path):
    step = f"""
# Above.
norm = {SUM}  # Beside.
# Between.
grads = {TREE}.tree_map(
    lambda g: g * jnp.minimum(1., C / norm),  # Inside.
    grads)  # Behind.
"""
    after, _ = migrated(program(step), tmp_path)
    assert [line.strip() for line in step_lines(after)] == [
        "# Above.", "# Beside.", "# Between.", "# Inside.", "# Behind.",
    ]  # fmt: skip


@pytest.mark.parametrize("step", [SHAPES["sum of squares"], "grads = clip_gradients(grads, 0.3)"])
def test_the_explicit_form(step, tmp_path, trained):
    head = HELPER + "\noptimizer_def = optim.Momentum(0.1, 0.9)\n"
    before = program(step, head).replace("optim.Momentum(0.1, 0.9).create", "optimizer_def.create")
    after, said = migrated(before, tmp_path, "explicit")
    limit = "0.3" if "0.3" in step else "C"
    front = f"optax.chain(optax.clip_by_global_norm({limit}), "
    assert f"{front}optax.sgd(0.1, momentum=0.9))" in after
    assert "TrainState" not in after
    assert [code for code, _ in said] == ["FXO601"]
    verdict = trained(before, after)
    assert verdict.equal, verdict


WITH_NORM = (
    HELPER
    + f"""

def clip_and_norm(grads):
  norm = global_norm(grads)
  return {TREE}.tree_map(lambda g: g * jnp.minimum(1., C / norm), grads), norm
"""
)


def test_a_helper_that_returns_the_norm_too(tmp_path, trained):
    last = "return optimizer.apply_gradient(grads), norm"
    before = program("grads, norm = clip_and_norm(grads)", WITH_NORM, last)
    check(before, NORM, tmp_path, trained, kept=["  _, norm = clip_and_norm(grads)"])


def test_the_norm_of_values_that_were_clipped_first(tmp_path, trained):
    value = f"grads = {TREE}.tree_map(lambda g: jnp.clip(g, -0.2, 0.2), grads)"
    last = "return optimizer.apply_gradient(grads), norm"
    before = program(f"{value}\ngrads, norm = clip_and_norm(grads)", WITH_NORM, last)
    kept = [f"  {value}", "  _, norm = clip_and_norm(grads)"]
    check(before, NORM, tmp_path, trained, kept)
