import warnings
from collections.abc import Iterator
from types import ModuleType

import jax
import pytest

from flax2optax.verify.precision import float64
from flax2optax.verify.reference import DEPRECATIONS, serve


@pytest.fixture(scope="module")
def served() -> Iterator[ModuleType]:
    """Compiled with few optimizations: the steps are tiny, compiling them is not."""
    jax.config.update("jax_disable_most_optimizations", True)
    with serve() as served, float64():
        yield served
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def optim(served: ModuleType) -> ModuleType:
    """The real flax.optim, in double precision; without it the test fails."""
    for message in DEPRECATIONS:
        warnings.filterwarnings("ignore", message=message, category=DeprecationWarning)
    return served
