"""Every rule's examples on generated trees, trained by the real flax.optim and by Optax, in four types.

float64 decides; float32 must agree too.
What the half types show is told beside them: flax's own bias corrections round to zero there, and its numbers overflow.
"""

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp

from flax2optax_rules import RULES

from .mutants.catalogue import CLIPPED, CLIPPED_DECAY, Program
from .mutants.judge import Judge
from .mutants.models import Model, Tree
from .precision import float64
from .reference import DEPRECATIONS, serve
from .verdict import LIMIT, Verdict

TYPES: Final = ("float64", "float32", "bfloat16", "float16")
MUST_AGREE: Final = ("float64", "float32")
WIDTH: Final = 60
CONFIG: Final[Any] = jax.config


def check_rules(wheel: Path, echo: Callable[[str], None], types: Sequence[str] = TYPES) -> int:
    """Tell a line for each example; 1 if one does not agree."""
    wrong, examples = 0, list(programs())
    echo(f"{'example':{WIDTH}}  {'  '.join(f'{name:>9}' for name in types)}")
    for program in examples:
        with _quickly_compiled():
            verdicts = [_verdict(wheel, program, name) for name in types]
        wrong += any(
            not one.equal for one, name in zip(verdicts, types, strict=True) if name in MUST_AGREE
        )
        cells = "  ".join(f"{_word(one):>9}" for one in verdicts)
        echo(f"{program.flax[:WIDTH]:{WIDTH}}  {cells}")
    echo(
        f"{len(examples)} examples, {wrong} do not agree; the numbers are ratios, {LIMIT:g} is the limit"
    )
    return int(wrong > 0)


def trees(dtype: str, scalars: bool) -> Model:
    """A scalar, vectors, matrices, a conv kernel, zero parameters, and a leaf whose gradient is zero."""

    def start() -> tuple[Tree, Tree]:
        keys = iter(jax.random.split(jax.random.PRNGKey(0), 5))
        tree = {
            "dense": {"kernel": jax.random.normal(next(keys), (5, 3)), "bias": jnp.zeros(3)},
            "conv": {
                "kernel": jax.random.normal(next(keys), (3, 3, 2, 4)),
                "bias": jax.random.normal(next(keys), (4,)),
            },
            "other": {"embedding": jax.random.normal(next(keys), (4, 6))},
        }
        if scalars:
            tree["scale"] = {"weight": jax.random.normal(next(keys), ())}
        return jax.tree_util.tree_map(lambda leaf: leaf.astype(dtype), tree), {}

    def gradients(params: Tree, carried: Tree, batch: Tree, key: Any) -> tuple[Tree, Tree]:
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: _gradient(path, leaf, batch), params
        ), carried

    name = f"trees in {dtype}" if scalars else f"trees in {dtype} without scalars"
    return Model(name, start, gradients, lambda step: jnp.asarray(step, dtype))


def _gradient(path: Any, leaf: Any, step: Any) -> Any:
    """Of a loss that is not linear, changes from step to step and does not see every leaf."""
    used = jax.tree_util.keystr(path, simple=True, separator="/") != "conv/bias"
    wave = jnp.arange(leaf.size, dtype=leaf.dtype).reshape(leaf.shape)
    return (jnp.sin(leaf + wave + step) + 0.1) * used


@contextlib.contextmanager
def _quickly_compiled() -> Iterator[None]:
    """The steps are tiny, and compiling them is not."""
    before = CONFIG.read("jax_disable_most_optimizations")
    CONFIG.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        CONFIG.update("jax_disable_most_optimizations", before)


def programs() -> Iterator[Program]:
    """Every example of every rule, and two clips that become part of the transformation."""
    for rule in RULES.values():
        for example in rule.examples:
            yield Program(example.before, example.after)
    yield from (CLIPPED, CLIPPED_DECAY)


def _verdict(wheel: Path, program: Program, dtype: str) -> Verdict:
    wide = float64() if dtype == "float64" else contextlib.nullcontext()
    with wide, serve(wheel) as optim, warnings.catch_warnings():
        for message in DEPRECATIONS:
            warnings.filterwarnings("ignore", message=message, category=DeprecationWarning)
        model = trees(dtype, scalars="WeightNorm" not in program.flax)
        return Judge(optim, model).right(program).verdict


def _word(verdict: Verdict) -> str:
    if math.isinf(verdict.ratio):
        return "NaN" if verdict.detail.startswith("NaN") else "inf"
    return f"{verdict.ratio:.2g}" if verdict.ratio else "equal"
