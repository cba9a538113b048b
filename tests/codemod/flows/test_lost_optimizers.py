"""An optimizer may go ways that are hard to follow: it is followed, or nothing is changed.

Where one is lost, a step that it shares with another is written for the other alone, and trains it the wrong way.
"""

from pathlib import Path

import pytest
from migration import migrated, migrated_project, text_of, told

from flax2optax.verify import compare_programs

PROGRAM = """\
import collections
import contextlib
import dataclasses
import functools
import operator
import pickle
import types

import jax
import jax.numpy as jnp
from flax import optim


def loss(params, x):
  return jnp.mean((x @ params['w'] - x[:, :1])**2)


def step(o, x, lr):
  return o.apply_gradient(jax.grad(loss)(o.target, x), learning_rate=lr)


def made(i=0):
  return optim.GradientDescent(0.1).create({'w': jax.random.normal(jax.random.PRNGKey(i), (3, 1))})


def batches():
  return [jax.random.normal(jax.random.PRNGKey(i), (8, 3)) for i in range(3)]


BODY
"""
WAYS = {
    "a repeated list": "def way(o, x):\n  return step(([o] * 2)[1], x, .2)\n",
    "a repeated tuple": "def way(o, x):\n  return step((2 * (o,))[1], x, .2)\n",
    "united dicts": "def way(o, x):\n  return step(({'a': 1} | {'b': o})['b'], x, .2)\n",
    "a grown list": "def way(o, x):\n  os = []\n  os += [o]\n  return step(os[0], x, .2)\n",
    "a grown dict": "def way(o, x):\n  d = {}\n  d |= {'o': o}\n  return step(d['o'], x, .2)\n",
    "zipped pairs": "def way(o, x):\n  os, _ = zip(*[(o, 1)])\n  return step(os[0], x, .2)\n",
    "a sum of lists": "def way(o, x):\n  return step(sum([[o], []], [])[0], x, .2)\n",
    "sorted by a key": (
        "def way(o, x):\n"
        "  o, = sorted([o], key=lambda o: float(loss(o.target, x)))\n  return step(o, x, .2)\n"
    ),
    "a list sorted by a key": (
        "def way(o, x):\n  os = [o]\n  os.sort(key=lambda o: float(loss(o.target, x)))\n"
        "  return step(os[0], x, .2)\n"
    ),
    "a value left by continue": (
        "def way(o, x):\n  now = None\n  for i in range(2):\n    if now is None:\n      now = o\n"
        "      continue\n    now = step(now, x, .2)\n  return now\n"
    ),
    "a value in the middle of a try": (
        "def way(o, x):\n  now = None\n  try:\n    now = o\n    raise ValueError\n    now = None\n"
        "  except ValueError:\n    return step(now, x, .2)\n"
    ),
    "a match": (
        "def way(o, x):\n  match [o, 1]:\n    case [found, 1]:\n      return step(found, x, .2)\n"
    ),
    "a match of fields": (
        "class Box:\n  def __init__(self, o):\n    self.o = o\n\n"
        "def way(o, x):\n  match Box(o):\n    case Box(o=found):\n      return step(found, x, .2)\n"
    ),
    "a context manager": (
        "@contextlib.contextmanager\ndef lent(o):\n  yield o\n\n"
        "def way(o, x):\n  with lent(o) as found:\n    return step(found, x, .2)\n"
    ),
    "a context of its own": (
        "class Lent:\n  def __init__(self, o):\n    self.o = o\n  def __enter__(self):\n"
        "    return self.o\n  def __exit__(self, *_):\n    pass\n\n"
        "def way(o, x):\n  with Lent(o) as found:\n    return step(found, x, .2)\n"
    ),
    "an iterator of its own": (
        "class All:\n  def __init__(self, o):\n    self.o = o\n  def __iter__(self):\n"
        "    yield self.o\n\ndef way(o, x):\n  for found in All(o):\n    return step(found, x, .2)\n"
    ),
    "items of its own": (
        "class All:\n  def __init__(self, o):\n    self.o = o\n  def __getitem__(self, key):\n"
        "    return self.o\n\ndef way(o, x):\n  return step(All(o)['o'], x, .2)\n"
    ),
    "a property that is set": (
        "class Box:\n  @property\n  def o(self):\n    return self.kept\n  @o.setter\n"
        "  def o(self, value):\n    self.kept = value\n\n"
        "def way(o, x):\n  box = Box()\n  box.o = o\n  return step(box.kept, x, .2)\n"
    ),
    "sent to a generator": (
        "def echo():\n  o = yield\n  yield o\n\n"
        "def way(o, x):\n  g = echo()\n  next(g)\n  return step(g.send(o), x, .2)\n"
    ),
    "the result of a generator": (
        "def inner(o):\n  yield\n  return o\n\ndef outer(o, x, out):\n"
        "  found = yield from inner(o)\n  out.append(step(found, x, .2))\n\n"
        "def way(o, x):\n  out = []\n  list(outer(o, x, out))\n  return out[0]\n"
    ),
    "vars": (
        "class Box:\n  def __init__(self, o):\n    self.o = o\n\n"
        "def way(o, x):\n  return step(vars(Box(o))['o'], x, .2)\n"
    ),
    "a computed attribute": (
        "class Box:\n  def __init__(self, o):\n    self.a_opt = o\n\n"
        "def way(o, x):\n  return step(getattr(Box(o), f'{chr(97)}_opt'), x, .2)\n"
    ),
    "an attribute by its name": "def way(o, x):\n  return step(o, x * getattr(o, 'target')['w'][0], .2)\n",
    "an attribute getter": (
        "of = operator.attrgetter('target')\n\ndef way(o, x):\n"
        "  return step(o, x * of(o)['w'][0], .2)\n"
    ),
    "a question for an attribute": (
        "def way(o, x):\n  return step(o, x, .2 if hasattr(o, 'target') else .4)\n"
    ),
    "a question for the type": (
        "def way(o, x):\n  return step(o, x, .2 if 'Optimizer' in str(type(o)) else .4)\n"
    ),
    "a question for the definition": (
        "def way(o, x):\n  d = optim.Adam(.1)\n"
        "  return step(o, x, .2 if isinstance(d, tuple) else .4)\n"
    ),
    "a count of the leaves": (
        "def way(o, x):\n  return step(o, x, len(jax.tree_util.tree_leaves(o)) / 100)\n"
    ),
    "a tree built again": (
        "def way(o, x):\n  leaves, tree = jax.tree_util.tree_flatten([o])\n"
        "  return step(jax.tree_util.tree_unflatten(tree, leaves)[0], x, .2)\n"
    ),
    "replaced by dataclasses": (
        "def way(o, x):\n  return step(dataclasses.replace(o, target=o.target), x, .2)\n"
    ),
    "pickled": "def way(o, x):\n  return step(pickle.loads(pickle.dumps(o)), x, .2)\n",
    "globals": "def way(o, x):\n  global G\n  G = o\n  return step(globals()['G'], x, .2)\n",
    "asked for by its name": (
        "def way(o, x):\n  now = step(o, x, .2)\n"
        "  return now if 'now' in locals() else step(now, x, .4)\n"
    ),
    "asked for another name": (
        "def way(o, x):\n  return step(o, x, .2 if 'q' in locals() else .4)\n"
    ),
    "all finite": (
        "def way(o, x):\n"
        "  fine = all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree_util.tree_leaves(o))\n"
        "  return step(o, x, .2 if fine else .4)\n"
    ),
    "eval": "def way(o, x):\n  return step(eval('o'), x, .2)\n",
    "a namespace": (
        "def way(o, x):\n  box = types.SimpleNamespace(o=o)\n  return step(box.o, x, .2)\n"
    ),
    "a named tuple": (
        "Box = collections.namedtuple('Box', ['o', 'n'])\n\n"
        "def way(o, x):\n  return step(Box(o, 1).o, x, .2)\n"
    ),
    "something else with a target": (
        "def params_of(o):\n  return o.target\n\ndef way(o, x):\n"
        "  q = types.SimpleNamespace(target={'w': .2})\n"
        "  return step(o, x * jnp.mean(params_of(o)['w']), params_of(q)['w'])\n"
    ),
    "classes in a table": (
        "TABLE = {}\n\ndef listed(cls):\n  TABLE[cls.__name__] = cls\n  return cls\n\n"
        "@listed\nclass Box:\n  def __init__(self, o):\n    self.o = o\n\n"
        "def way(o, x):\n  return step(TABLE['Box'](o).o, x, .2)\n"
    ),
    "classes listed by their base": (
        "class Base:\n  def __init_subclass__(cls):\n    TABLE['Box'] = cls\n\nTABLE = {}\n\n"
        "class Box(Base):\n  def __init__(self, o):\n    self.o = o\n\n"
        "def way(o, x):\n  return step(TABLE['Box'](o).o, x, .2)\n"
    ),
    "a diamond": (
        "class A:\n  def kept(self, o):\n    return made(9)\n\nclass B(A):\n  pass\n\n"
        "class C(A):\n  def kept(self, o):\n    return o\n\nclass D(B, C):\n  pass\n\n"
        "def way(o, x):\n  return step(D().kept(o), x, .2)\n"
    ),
    "super in a diamond": (
        "class A:\n  def kept(self, o):\n    return None\n\nclass B(A):\n"
        "  def kept(self, o):\n    return super().kept(o)\n\n"
        "class C(A):\n  def kept(self, o):\n    return o\n\nclass D(B, C):\n  pass\n\n"
        "def way(o, x):\n  return step(D().kept(o), x, .2)\n"
    ),
    "a partial method": (
        "class Box:\n  def __init__(self, o):\n    self.o = o\n"
        "  def _step(self, lr, x):\n    return step(self.o, x, lr)\n"
        "  gentle = functools.partialmethod(_step, .2)\n\n"
        "def way(o, x):\n  box = Box(o)\n  box.o = box.gentle(x)\n  new = box.gentle(x)\n"
        "  return new.apply_gradient(jax.grad(loss)(new.target, x), learning_rate=.2)\n"
    ),
    "a partial method by name": (
        "class Box:\n  def _step(self, o, lr, x):\n    return step(o, x, lr)\n"
        "  gentle = functools.partialmethod(_step, lr=.2)\n\n"
        "def way(o, x):\n  return Box().gentle(o, x=x)\n"
    ),
    "a jitted method": (
        "class Box:\n  def __init__(self, o):\n    self.o = o\n"
        "  @functools.partial(jax.jit, static_argnums=0)\n  def taken(self, o, x):\n"
        "    return step(o, x, .2)\n\ndef way(o, x):\n  return Box(o).taken(o, x)\n"
    ),
    "mapped by JAX": (
        "def way(o, x):\n  many = jax.lax.map(lambda i: made(), jnp.arange(2))\n"
        "  o = o.replace(target={'w': many.target['w'][0]})\n  return step(o, x, .2)\n"
    ),
    "the gradient of an optimizer": (
        "def way(o, x):\n  g = jax.grad(lambda o: loss(o.target, x), allow_int=True)(o)\n"
        "  return o.apply_gradient(g.target, learning_rate=.2)\n"
    ),
    "made by a function that a library calls": (
        "import itertools\n\ndef way(o, x):\n"
        "  return step(next(itertools.starmap(made, [(1,)])), x, .2)\n"
    ),
    "taken from a list while it is replaced": (
        "def way(o, x):\n  others = [step(made(), x, .3), step(made(), x, .4)]\n"
        "  return step(o.replace(state=others.pop().state), x, len(others) / 10)\n"
    ),
}
PROBE = """

def probe():
  other = made(5)
  for x in batches():
    other = step(other, x, .3)
    yield {'other': other.target, 'way': way(made(1), x).target}
"""


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_it_is_followed_or_nothing_changes(way: str, tmp_path: Path) -> None:
    before = PROGRAM.replace("BODY", way) + PROBE
    outcome = migrated(before, todo=False)
    after = text_of(outcome, before)
    if after == before:
        assert told(outcome)
        return
    for side, text in (("before", before), ("after", after)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "train.py").write_text(text)
    assert compare_programs(tmp_path / "before", tmp_path / "after").equal, after


HOLDER = """\
from flax import optim


class Holder:
  def __init__(self, params):
    self.learner = optim.Adam(0.1).create(params)

  def step(self, grads):
    self.learner = self.learner.apply_gradient(grads)
"""
READERS = {
    "behind a semicolon": {"main.py": "import os; import holder\n\nh = holder.Holder({})\n"},
    "behind a backslash": {"main.py": "import os, \\\n  holder\n\nh = holder.Holder({})\n"},
    "in one line with try": {
        "main.py": "try: from holder import Holder\nexcept ImportError: raise\n\nh = Holder({})\n"
    },
    "under another name": {
        "api.py": "from holder import Holder as Trainer\n",
        "main.py": "from api import Trainer\n\nh = Trainer({})\n",
    },
    "through all of a module": {
        "api.py": "from holder import *\n",
        "main.py": "from api import Holder\n\nh = Holder({})\n",
    },
    "through a module of a module": {
        "api.py": "import holder\n",
        "main.py": "import api\n\nh = api.holder.Holder({})\n",
    },
    "by importlib": {
        "main.py": "import importlib\n\nh = importlib.import_module('holder').Holder({})\n"
    },
    "from a table": {
        "table.py": "TABLE = {}\n",
        "fill.py": "import table\nfrom holder import Holder\n\ntable.TABLE['h'] = Holder\n",
        "main.py": "import fill\nfrom table import TABLE\n\nh = TABLE['h']({})\n",
    },
    "from another module's variable": {
        "shared.py": "learner = None\n",
        "put.py": "import shared\nfrom holder import Holder\n\nshared.h = Holder({})\n",
        "main.py": "import put\nimport shared\n\nh = shared.h\n",
    },
}


@pytest.mark.parametrize("others", READERS.values(), ids=READERS)
def test_a_file_that_reads_a_field_is_found(others: dict[str, str]) -> None:
    texts = {"holder.py": HOLDER, **others}
    texts["main.py"] += "h.step({})\nprint(h.learner.target)\n"
    outcome = migrated_project(texts)
    assert told(outcome) == []
    assert "print(h.learner.params)" in text_of(outcome, "", "main.py")


def test_a_package_that_hands_on_its_own_names() -> None:
    texts = {
        "pkg/__init__.py": HOLDER,
        "pkg/sub/__init__.py": "",
        "pkg/main.py": "from . import Holder\n\nh = Holder({})\nprint(h.learner.target)\n",
        "pkg/sub/main.py": "from .. import Holder\n\nh = Holder({})\nprint(h.learner.target)\n",
    }
    outcome = migrated_project(texts)
    assert told(outcome) == []
    for name in ("pkg/main.py", "pkg/sub/main.py"):
        assert "print(h.learner.params)" in text_of(outcome, "", name)


FIELDS = """\
from flax import optim


class Agent:
  def __init__(self, params):
    self.optimizer = optim.Adam(1e-3).create(params)
    self.state = 3
    self.lr = 0.1

  def step(self, grads):
    self.optimizer = self.optimizer.apply_gradient(grads)
    return self.optimizer.target


def ask(agent):
  for key in NAMES:
    print(agent.__dict__[key])


def main(params):
  agent = Agent(params)
  agent.step(params)
  ask(agent)
"""


@pytest.mark.parametrize(
    ("names", "whole"),
    [("['state', 'lr']", True), ("['state', 'optimizer']", False), ("[str(params)]", False)],
)
def test_fields_by_their_names(names, whole):
    before = FIELDS.replace("NAMES", names)
    outcome = migrated(before, todo=False)
    assert (told(outcome) == []) is whole
    assert (text_of(outcome, before) == before) is not whole


def test_a_private_name_is_of_something_else():
    before = FIELDS.replace("NAMES", "[]").replace(
        "  ask(agent)\n", "  ask(agent)\n  print(agent.optimizer._learning_rate)\n"
    )
    outcome = migrated(before, todo=False)
    assert told(outcome) == []
    assert ".target" not in text_of(outcome, before)
