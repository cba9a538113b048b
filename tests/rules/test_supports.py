"""What is written into programs: it stands alone, names what it needs, and behaves where flax did."""

import ast
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

import flax.core
import flax.struct
import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from trained import trained

from flax2optax.verify.mutants.catalogue import INJECTED, Program
from flax2optax.verify.mutants.train import namespace, train_optax
from flax2optax.verify.rules import trees
from flax2optax_rules import SUPPORT, Support

MODEL = trees("float64", scalars=True)
each_support = pytest.mark.parametrize("support", SUPPORT.values(), ids=SUPPORT)


def params() -> Any:
    return MODEL.start()[0]


def gradients(tree: Any) -> Any:
    return MODEL.gradients(tree, {}, jnp.zeros(()), None)[0]


@each_support
def test_defines_its_one_name(support: Support) -> None:
    (statement,) = ast.parse(support.source).body
    assert isinstance(statement, ast.FunctionDef | ast.ClassDef)
    assert statement.name == support.name
    assert "flax.optim." in (ast.get_docstring(statement) or "")


@each_support
def test_imports_are_all_it_needs(support: Support) -> None:
    names: dict[str, Any] = {}
    exec("\n".join(support.imports), names)
    modules = {name for name in names if name != "__builtins__"}
    used = {node.id for node in ast.walk(ast.parse(support.source)) if isinstance(node, ast.Name)}
    assert modules == used & {"jax", "jnp", "optax", "flax", "np"}


@each_support
def test_fits_a_file_of_the_time(support: Support) -> None:
    lines = support.source.splitlines()
    assert max(map(len, lines)) <= 80
    assert all((len(line) - len(line.lstrip())) % 2 == 0 for line in lines)
    assert support.source.endswith("\n")
    assert '"' not in support.source.replace('"""', "")


def test_overlapping_traversals_raise_as_in_flax(optim: ModuleType) -> None:
    names = namespace(optim)
    tree = params()
    with pytest.raises(ValueError, match="Multiple optimizers match the same leaves"):
        eval(
            "optim.MultiOptimizer((kernels, optim.Adam(1)), (kernels, optim.Adam(1)))", names
        ).create(tree)
    with pytest.raises(ValueError, match="Multiple optimizers match the same leaves"):
        eval("multi_optimizer((kernels, optax.adam(1)), (kernels, optax.adam(1)))", names).init(
            tree
        )


@pytest.mark.parametrize("frozen", [False, True], ids=["dict", "FrozenDict"])
def test_groups_are_bitwise_equal_and_the_rest_stays(optim: ModuleType, frozen: bool) -> None:
    start = flax.core.freeze(params()) if frozen else params()
    model = replace(MODEL, start=lambda: (start, {}))
    before = "optim.MultiOptimizer((kernels, optim.Momentum(0.01)), (biases, optim.GradientDescent(0.1)))"
    after = "multi_optimizer((kernels, optax.sgd(0.01, momentum=0.9)), (biases, optax.sgd(0.1)))"
    program = Program(before, after)
    assert trained(optim, program, model=model).ratio == 0
    run = list(train_optax(model, after, program))
    for leaf in ("other/embedding", "scale/weight"):
        first, second = leaf.split("/")
        np.testing.assert_array_equal(run[-1][f"params/{leaf}"], start[first][second])


def test_a_nan_in_a_frozen_leaf_is_blocked() -> None:
    tx = eval("multi_optimizer((kernels, optax.sgd(0.1)))", namespace())
    tree = {"kernel": jnp.ones(2), "other": jnp.ones(2)}
    grads = {"kernel": jnp.ones(2), "other": jnp.full(2, jnp.nan)}
    updates, _ = tx.update(grads, tx.init(tree), tree)
    assert not np.any(np.asarray(updates["other"]))


def test_a_filter_may_look_at_shapes() -> None:
    with pytest.warns(DeprecationWarning):
        vectors = flax.traverse_util.ModelParamTraversal(lambda _, leaf: len(leaf.shape) == 1)
    names = {**namespace(), "vectors": vectors}
    tx = eval("multi_optimizer((vectors, optax.sgd(1.0)))", names)
    tree = {"kernel": jnp.ones((2, 2)), "empty": {}, "bias": jnp.ones(2)}
    updates, _ = jax.jit(tx.update)(tree, tx.init(tree), tree)
    assert jax.tree_util.tree_map(lambda leaf: float(leaf.sum()), updates) == {
        "kernel": 0.0,
        "empty": {},
        "bias": -2.0,
    }


@flax.struct.dataclass
class HyperParams:
    learning_rate: Any
    power: Any


class ParamState(NamedTuple):
    total: Any


def custom(base: type) -> Any:
    """An optimizer of the user's own, as it was written for flax."""

    class Signed(base):  # type: ignore[misc]
        def __init__(self, learning_rate: Any = None, power: float = 0.5) -> None:
            super().__init__(HyperParams(learning_rate, power))

        def init_param_state(self, param: Any) -> ParamState:
            return ParamState(jnp.zeros_like(param))

        def apply_param_gradient(
            self, step: Any, hyper_params: Any, param: Any, state: Any, grad: Any
        ) -> Any:
            total = state.total + jnp.abs(grad)
            rate = hyper_params.learning_rate / (1.0 + step)
            return param - rate * grad / (1 + total) ** hyper_params.power, ParamState(total)

    return Signed


def test_a_custom_optimizer_trains_the_same(optim: ModuleType) -> None:
    old = custom(optim.OptimizerDef)(0.1).create(params())
    tx = custom(namespace()["OptimizerDef"])(0.1)
    tree, opt_state = params(), tx.init(params())
    for _ in range(3):
        grads = gradients(tree)
        old = old.apply_gradient(gradients(old.target), learning_rate=0.05)
        updates, opt_state = tx.update(grads, opt_state, tree, learning_rate=0.05)
        tree = optax.apply_updates(tree, updates)
    jax.tree_util.tree_map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13), old.target, tree
    )
    assert (int(opt_state.step), opt_state.step.dtype) == (3, jnp.int32)
    assert jax.tree_util.tree_structure(opt_state.param_states) == jax.tree_util.tree_structure(
        old.state.param_states
    )


def test_an_override_holds_for_one_call() -> None:
    tx = custom(namespace()["OptimizerDef"])(1.0)
    grads = {"w": jnp.ones(2)}
    updates, state = tx.update(grads, tx.init(grads), grads, learning_rate=0.0)
    assert not np.any(np.asarray(updates["w"]))
    updates, _ = tx.update(grads, state, grads)
    assert np.all(np.asarray(updates["w"]) < 0)
    replaced = HyperParams(0.0, 1.0)
    updates, _ = tx.update(grads, state, grads, hyper_params=replaced)
    assert not np.any(np.asarray(updates["w"]))


def test_a_custom_optimizer_can_be_part_of_a_chain() -> None:
    tx = optax.chain(optax.clip(0.5), custom(namespace()["OptimizerDef"])(1.0))
    grads = {"w": jnp.full(2, 9.0)}
    updates, _ = tx.update(grads, tx.init(grads), grads)
    np.testing.assert_allclose(updates["w"], -0.5 / 1.5**0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("before", "inner"),
    [
        ("optim.LARS(0.1)", "optax.lars(learning_rate)"),
        ("optim.Adafactor(0.1, beta1=0.9)", "optax.adafactor(learning_rate, momentum=0.9)"),
    ],
)
def test_an_injected_rate_goes_through_scan(optim: ModuleType, before: str, inner: str) -> None:
    """One compilation, a stable carry, and the same parameters as the loop."""
    source = f"optax.inject_hyperparams(lambda learning_rate: {inner})(learning_rate=0.0)"
    assert trained(optim, Program(before, source, rate="noam", form=INJECTED)).equal
    tx = eval(source, namespace())

    def step(carry: Any, rate: Any) -> tuple[Any, None]:
        tree, opt_state = carry
        opt_state = opt_state._replace(hyperparams={"learning_rate": rate})
        updates, opt_state = tx.update(gradients(tree), opt_state, tree)
        return (optax.apply_updates(tree, updates), opt_state), None

    rates = 0.03 / (1 + jnp.arange(6.0))
    (tree, _), _ = jax.lax.scan(step, (params(), tx.init(params())), rates)
    carry = (params(), tx.init(params()))
    for rate in rates:
        carry, _ = jax.jit(step)(carry, rate)
    jax.tree_util.tree_map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), tree, carry[0]
    )
