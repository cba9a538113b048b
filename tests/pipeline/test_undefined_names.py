"""The new text may not read a name that nothing binds."""

import pytest

from flax2optax.codemod.rewrite.undefined import newly_undefined, undefined

TABLE = {
    "a global read in a function": ("def f():\n  return g\n", {"g"}),
    "a read at the top": ("print(x)\n", {"x"}),
    "bound later": ("def f():\n  return g\n\n\ng = 1\n", set()),
    "bound through global": ("def f():\n  global g\n  g = 1\n\n\ndef h():\n  return g\n", set()),
    "a closure": ("def f(x):\n  def g():\n    return x\n  return g\n", set()),
    "a comprehension's own name": ("x = [y for y in range(3)]\n", set()),
    "a class body": ("class A:\n  b = 1\n  c = b\n", set()),
    "an import in a function": ("def f():\n  import os\n  return os\n", set()),
}


@pytest.mark.parametrize(("text", "names"), TABLE.values(), ids=TABLE)
def test_undefined(text, names):
    assert undefined(text) == names


def test_what_was_undefined_before_is_not_news():
    assert newly_undefined("print(x, y)\n", "print(x)\n") == {"y"}


def test_a_star_import_may_bring_it():
    assert newly_undefined("from a import *\nprint(x)\n", "x = 1\nprint(x)\n") == set()
    assert newly_undefined("print(Adam)\n", "from flax.optim import *\nprint(Adam)\n") == {"Adam"}
