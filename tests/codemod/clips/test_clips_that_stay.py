"""Clips that are not Optax's, or cannot move: the step keeps every line, and the optimizer gets none."""

import pytest
from clip_programs import RETURN, TREE, migrated, program, step_lines

SUM = f"jnp.sqrt(sum(jnp.sum(g**2) for g in {TREE}.tree_leaves(grads)))"
SCALE = f"grads = {TREE}.tree_map(lambda g: g * scale, grads)"
CLIP = f"""
norm = {SUM}
scale = jnp.minimum(1., C / norm)
{SCALE}
"""
HELPER = f"""
def clip_gradients(grads, limit):
  norm = {SUM}
  return {TREE}.tree_map(lambda g: g * jnp.minimum(1., limit / norm), grads)
"""


def scaled_by(scale, norm=SUM):
    return f"norm = {norm}\nscale = {scale}\n{SCALE}"


UNLIKE = {
    "per leaf": (
        f"grads = {TREE}.tree_map(lambda g: g * jnp.minimum(1., C / jnp.linalg.norm(g)), grads)",
        "each leaf by a norm of its own",
    ),
    "no square root": (
        scaled_by(
            "jnp.minimum(1., C / norm)", f"sum(jnp.vdot(g, g) for g in {TREE}.tree_leaves(grads))"
        ),
        "the square of the norm",
    ),
    "an epsilon in the root": (
        scaled_by(
            "jnp.minimum(1., C / norm)",
            f"jnp.sqrt(1e-6 + sum(jnp.vdot(g, g) for g in {TREE}.tree_leaves(grads)))",
        ),
        "more than epsilon/norm",
    ),
    "NaN passes": (scaled_by("jnp.where(norm > C, C / norm, 1.)"), "whose norm is not a number"),
    "up as well as down": (scaled_by("C / norm"), "up as well as down"),
    "another precision": (
        scaled_by(
            "jnp.minimum(1., C / norm)",
            f"jnp.sqrt(sum(jnp.sum(g.astype(jnp.bfloat16)**2) for g in {TREE}.tree_leaves(grads)))",
        ),
        "precision of its own",
    ),
}
STAYING = {
    "an epsilon too large to be one": scaled_by("jnp.minimum(1., C / (norm + 1e-2))"),
    "the norm of the params": scaled_by(
        "jnp.minimum(1., C / norm)", SUM.replace("grads", "optimizer.target")
    ),
    "the sum of the norms": scaled_by(
        "jnp.minimum(1., C / norm)", f"sum(jnp.linalg.norm(g) for g in {TREE}.tree_leaves(grads))"
    ),
    "the first norm": scaled_by(
        "jnp.minimum(1., C / norm)",
        f"jnp.linalg.norm(jnp.array([jnp.linalg.norm(g, 1) for g in {TREE}.tree_leaves(grads)]))",
    ),
    "an axis": scaled_by("jnp.minimum(1., C / norm)", SUM.replace("g**2", "g**2, axis=None")),
    "values cut unevenly": f"grads = {TREE}.tree_map(lambda g: jnp.clip(g, -C, 2 * C), grads)",
    "values cut on one side": f"grads = {TREE}.tree_map(lambda g: jnp.minimum(g, C), grads)",
    "a compound threshold": scaled_by("jnp.minimum(1., 0.5 * C / norm)"),
    "scaled afterwards": CLIP + f"\ngrads = {TREE}.tree_map(lambda g: 0.5 * g, grads)",
    "before pmean": CLIP + "\ngrads = jax.lax.pmean(grads, axis_name='devices')",
    "under a condition": "if C:\n  grads = clip_gradients(grads, C)",
    "in one branch": "if C > 1:\n  grads = clip_gradients(grads, 1.)\nelse:\n  pass",
    "in a loop": "for _ in range(2):\n  grads = clip_gradients(grads, C)",
    "an old norm": f"norm = {SUM}\ngrads = jax.grad(loss_fn)(optimizer.target, 2 * x)\nscale = jnp.minimum(1., C / norm)\n{SCALE}",
    "a closure": CLIP + "\ndef logged():\n  return grads",
    "a threshold of the step": "limit = jnp.mean(x)\ngrads = clip_gradients(grads, limit)",
    "a threshold of a record": "grads = clip_gradients(grads, x.size)",
    "two clips of one line": "grads = clip_gradients(grads, C); print(C)",
    "something printed": "grads = noisy(grads, C)",
    "an optional clip": "grads = maybe(grads, C)",
}
MORE = """
def noisy(grads, limit):
  print(limit)
  return clip_gradients(grads, limit)


def maybe(grads, limit=None):
  if limit is None:
    return grads
  return clip_gradients(grads, limit)
"""


def check_stays(text, tmp_path, reason=None):
    after, said = migrated(text, tmp_path)
    assert after != text
    assert step_lines(after) == [line.replace(".target", ".params") for line in step_lines(text)]
    assert "optax.clip" not in after
    if reason is None:
        assert said == []
    else:
        assert [code for code, _ in said] == ["FXO602"]
        assert reason in said[0][1]


@pytest.mark.parametrize("name", UNLIKE)
def test_what_only_looks_like_it_is_named(name, tmp_path):
    step, reason = UNLIKE[name]
    check_stays(program(step, HELPER), tmp_path, reason)


@pytest.mark.parametrize("name", STAYING)
def test_what_is_something_else_stays(name, tmp_path):
    check_stays(program(STAYING[name], HELPER + "\n" + MORE), tmp_path)


@pytest.mark.parametrize(
    "last",
    [
        "return optimizer.apply_gradient(grads), grads",
        f"return optimizer.apply_gradient(grads), {SUM}",
        "print(grads)\n" + RETURN,
        "clipped = grads\n" + RETURN,
        "table = {}\ntable[scale] = 1\n" + "return optimizer.apply_gradient(grads), (loss, grads)",
        "both = [grads for _ in range(2)]\n" + RETURN,
    ],
)
def test_clipped_gradients_that_something_else_reads(last, tmp_path):
    check_stays(program(CLIP, last=last), tmp_path)


@pytest.mark.parametrize(
    "head",
    [
        "C = 0.5",
        "for C in (0.5, 1.):\n  pass",
        "if jax.device_count() > 8:\n  C = 0.5",
        "def quieten():\n  global C\n  C = 0.1",
        "class Config:\n  pass\n\nconfig = Config()\nconfig.C = 2.",
        "del C",
        "C *= 2",
    ],
)
def test_a_threshold_that_may_change(head, tmp_path):
    check_stays(program(CLIP, head), tmp_path)


def test_a_threshold_of_the_same_spelling(tmp_path):
    text = program(CLIP).replace("def probe():\n", "def probe():\n  C = 3.\n")
    check_stays(text, tmp_path)


def test_a_threshold_bound_below(tmp_path):
    text = program(CLIP).replace("C = 0.4\n", "", 1) + "\n\nC = 0.4\n"
    check_stays(text, tmp_path)


def test_a_threshold_the_step_is_given(tmp_path):
    text = program(CLIP).replace(
        "def train_step(optimizer, x)", "def train_step(optimizer, x, C=0.4)"
    )
    check_stays(text, tmp_path)


@pytest.mark.parametrize(
    "other",
    [
        "return optimizer.apply_gradient(grads)",
        "return optimizer.apply_gradient(clip_gradients(grads, 0.3))",
        f"return optimizer.apply_gradient({TREE}.tree_map(lambda g: jnp.clip(g, -C, C), grads))",
    ],
)
def test_two_steps_that_clip_differently(other, tmp_path):
    head = f"""
{HELPER}

def other_step(optimizer, x):
  grads = jax.grad(loss_fn)(optimizer.target, x)
  {other}
"""
    last = "optimizer = other_step(optimizer, x)\n" + RETURN
    text = program("grads = clip_gradients(grads, C)", head, last)
    after, said = migrated(text, tmp_path)
    assert step_lines(after) == step_lines(text)
    assert "optax.clip" not in after
    assert said == []


def test_a_rate_in_the_state_has_its_transformation_to_itself(tmp_path):
    last = "return optimizer.apply_gradient(grads, learning_rate=jnp.mean(x)), loss"
    text = program(CLIP, last=last, optimizer="LARS(0.1)")
    after, _ = migrated(text, tmp_path)
    assert "optax.clip" not in after
    assert "\n".join(step_lines(text)) in after


def test_a_factory_whose_steps_may_meet_the_optimizer_of_another_call(tmp_path):
    text = program("").replace(
        "def probe():\n",
        f"""def make(limit, params):
  def clipped_step(optimizer, x):
    grads = jax.grad(loss_fn)(optimizer.target, x)
    grads = clip_gradients(grads, limit)
    return optimizer.apply_gradient(grads)
  return optim.Adam(1e-3).create(params), clipped_step

{HELPER}

def crossed(params, x):
  (first, _), (_, step) = make(1., params), make(2., params)
  return step(first, x)


def probe():
""",
    )
    after, said = migrated(text, tmp_path)
    assert "grads = clip_gradients(grads, limit)\n" in after
    assert "optax.clip" not in after
    assert said == []


def test_a_helper_under_a_decorator_that_is_not_known(tmp_path):
    head = "def halved(f):\n  return lambda *a: f(a[0], 0.5 * a[1])\n\n\n@halved" + HELPER
    text = program("grads = clip_gradients(grads, C)", head)
    after, _ = migrated(text, tmp_path)
    assert "optax.clip" not in after
