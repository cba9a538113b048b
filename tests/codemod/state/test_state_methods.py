"""The old methods of Optimizer: gradients, steps and copies in one call."""

import pytest
from state_programs import program, refused, trains_the_same

STEP = "return optimizer.apply_gradient(grads)"
LOSS = "functools.partial(loss_fn, x=x)"

REFUSED = {
    "results in one name": f"both = optimizer.compute_gradient({LOSS})\nreturn optimizer.apply_gradient(both[1])",
    "a part of the results": f"return optimizer.apply_gradient(optimizer.compute_gradient({LOSS})[-1])",
    "starred": f"*_, grads = optimizer.compute_gradient({LOSS})\n{STEP}",
    "a method as a value": "apply = optimizer.apply_gradient\nreturn apply(grads)",
    "the loss feeds the rate": f"loss = lr\noptimizer, loss = optimizer.optimize({LOSS}, learning_rate=loss)\nreturn optimizer",
    "an optimized part": f"return optimizer.optimize({LOSS})[0]",
}


@pytest.mark.parametrize("step", REFUSED.values(), ids=REFUSED)
def test_results_that_cannot_be_told_apart(step):
    refused(program(step), "FXO307")


SEEN = {
    "compute_gradient": (
        f"loss, grads = optimizer.compute_gradient({LOSS})\n{STEP}",
        "loss, grads = jax",
    ),
    "compute_gradients": (
        f"loss, grads = optimizer.compute_gradients({LOSS})\n{STEP}",
        "loss, grads = jax",
    ),
    "with auxiliary outputs": (
        f"loss, (a, b), grads = optimizer.compute_gradient(lambda p: (loss_fn(p, x), (1, 2)))\n{STEP}",
        "(loss, (a, b)), grads = jax.value_and_grad(lambda p: (loss_fn(p, x), (1, 2)), has_aux=True)(optimizer.params)",
    ),
    "in brackets": (
        f"[loss, aux, grads] = optimizer.compute_gradient(lambda p: (loss_fn(p, x), 1))\n{STEP}",
        "(loss, aux), grads",
    ),
    "in parentheses": (
        f"(loss, aux, grads) = optimizer.compute_gradient(lambda p: (loss_fn(p, x), 1))\n{STEP}",
        "(loss, aux), grads",
    ),
    "optimize": (
        f"optimizer, loss = optimizer.optimize({LOSS})\nreturn optimizer",
        "loss, new_grads = jax",
    ),
    "optimize with a rate": (
        f"optimizer, loss = optimizer.optimize({LOSS}, learning_rate=lr)\nreturn optimizer",
        "lambda u: -lr * u",
    ),
    "optimize with auxiliary outputs": (
        "optimizer, loss, aux = optimizer.optimize(lambda p: (loss_fn(p, x), x))\nreturn optimizer",
        "(loss, aux), new_grads = jax",
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_gradients_and_steps(name, tmp_path):
    step, line = SEEN[name]
    assert line in trains_the_same(program(step), tmp_path)


# Replicas

PMAP = (
    "lambda o, x, lr: jax.tree_util.tree_map(lambda leaf: leaf, pstep(o, x[None], jnp.array([lr])))"
)
HEAD = "def pstep(o, x, lr):\n  return jax.pmap(train_step, axis_name='batch')(o, x, lr)\n"
MAKE = "return optim.Momentum(RATE).create(params).replicate()"


def test_a_step_that_is_not_mapped():
    refused(program(STEP, MAKE), "FXO307")


def test_a_step_that_is_called_in_both_ways():
    refused(
        program(STEP, MAKE, HEAD + "\ndef alone(o, x):\n  return train_step(o, x, 0.1)\n", PMAP),
        "FXO307",
    )


def test_a_computed_axis():
    make = "return optim.Momentum(RATE).create(params).replicate(axis_name='ba' + 'tch')"
    refused(program(STEP, make, HEAD, PMAP), "FXO307")


def test_a_replica_that_is_stored():
    head = (
        HEAD
        + "\nfrom flax.training import checkpoints\n\ndef save(o):\n  checkpoints.save_checkpoint('/tmp', o, 1)\n"
    )
    make = MAKE.replace("return", "optimizer =") + "\nsave(optimizer)\nreturn optimizer"
    refused(program(STEP, make, head, PMAP), "FXO307")


def test_gradients_are_averaged(tmp_path):
    after = trains_the_same(program(STEP, MAKE, HEAD, PMAP), tmp_path)
    assert "grads=jax.lax.pmean(grads, axis_name='batch')" in after
    assert "jax_utils.replicate(" in after


def test_an_axis_by_another_name(tmp_path):
    make = "return optim.Momentum(RATE).create(params).replicate(None, 'i')"
    head = HEAD.replace("batch", "i")
    assert "axis_name='i'))" in trains_the_same(program(STEP, make, head, PMAP), tmp_path)


def test_a_clip_stays_in_front_of_the_average(tmp_path):
    step = f"""
    norm = jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree_util.tree_leaves(grads)))
    grads = jax.tree_util.tree_map(lambda g: g * jnp.minimum(1., 0.1 / norm), grads)
    {STEP}
    """
    after = trains_the_same(program(step, MAKE, HEAD, PMAP), tmp_path)
    assert "clip_by_global_norm" not in after
