"""Functions that are traced, compiled ahead, or waited for: what comes out is no optimizer, or the same one."""

import pytest
from migration import migrated, text_of, told

PROGRAM = """\
import jax
from flax import optim
from jax._src.api import make_jaxpr
from jax._src.tree_util import tree_leaves


def step(optimizer, grads):
  return optimizer.apply_gradient(grads)


def train(params, grads):
  optimizer = optim.Adam(1e-3).create(params)
  WAY
  optimizer = step(optimizer, grads)
  return optimizer.target
"""


def after(way: str) -> str:
    before = PROGRAM.replace("WAY", way)
    outcome = migrated(before, todo=False, form="state")
    assert told(outcome) == []
    return text_of(outcome, before)


@pytest.mark.parametrize(
    "way",
    [
        "print(jax.make_jaxpr(step)(optimizer, grads).jaxpr.eqns)",
        "print(make_jaxpr(step, static_argnums=())(optimizer, grads).jaxpr.eqns)",
        "print(jax.xla_computation(step)(optimizer, grads).as_hlo_text())",
        "print(jax.jit(step).lower(optimizer, grads).as_text())",
        "print(jax.jit(step).lower(optimizer, grads).compile().as_text())",
        "print(jax.jit(step).trace(optimizer, grads).jaxpr)",
    ],
)
def test_a_trace_is_no_optimizer(way):
    text = after(way)
    assert way in text
    assert ".target" not in text


@pytest.mark.parametrize(
    "way",
    [
        "optimizer = jax.jit(step).lower(optimizer, grads).compile()(optimizer, grads)",
        "compiled = jax.jit(step).lower(optimizer, grads).compile()\n"
        "  optimizer = compiled(optimizer, grads)",
        "optimizer = jax.jit(step).trace(optimizer, grads).lower().compile()(optimizer, grads)",
    ],
)
def test_a_function_that_is_compiled_ahead_returns_what_it_did(way):
    text = after(f"{way}\n  print(optimizer.target)")
    assert "print(optimizer.params)" in text


@pytest.mark.parametrize(
    "way",
    [
        "jaxpr, shapes = jax.make_jaxpr(step, return_shape=True)(optimizer, grads)",
        "_, shapes = make_jaxpr(step, return_shape=True)(optimizer, grads)",
    ],
)
def test_shapes_have_the_structure_of_the_result(way):
    text = after(f"{way}\n  print(shapes.target['w'].shape)")
    assert "print(shapes.params['w'].shape)" in text


@pytest.mark.parametrize(
    "way",
    [
        "tree_leaves(optimizer)[-1].block_until_ready()",
        "jax.tree_util.tree_leaves(optimizer)[0].block_until_ready()",
    ],
)
def test_it_does_not_matter_which_leaf_is_waited_for(way):
    assert way in after(way)


@pytest.mark.parametrize(
    "way",
    [
        "first = jax.tree_util.tree_leaves(optimizer)[0]; print(first.sum())",
        "print(jax.tree_util.tree_leaves(optimizer)[0].block_until_ready())",
        "jax.tree_util.tree_leaves(optimizer)[3:].block_until_ready()",
        "jax.tree_util.tree_leaves(optimizer)[len(grads)].block_until_ready()",
    ],
)
def test_a_leaf_that_is_used_is_another_one_afterwards(way):
    before = PROGRAM.replace("WAY", way)
    outcome = migrated(before, todo=False, form="state")
    assert text_of(outcome, before) == before
    assert "FXO309" in {one.code for one in outcome.diagnostics}
