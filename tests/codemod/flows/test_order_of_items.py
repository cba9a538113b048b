"""Two optimizers in a list or dict that is put in another order or given other items: what is read may be either."""

from pathlib import Path

import pytest
from migration import migrated_program, text_of

from flax2optax.verify import compare_programs

PROGRAM = """\
import jax
import jax.numpy as jnp
from flax import optim


def probe():
  a = optim.GradientDescent().create({{'w': jnp.ones(3)}})
  b = optim.GradientDescent(0.1).create({{'w': jnp.ones(3)}})
  grads = {{'w': jnp.arange(3.)}}
  for _ in range(4):
    a = a.apply_gradient(grads, learning_rate=0.3)
    b = b.apply_gradient(grads)
{way}
    o = {read}.apply_gradient(grads, learning_rate=0.2)
    yield o.target['w'], a.target['w'], b.target['w']
"""
LISTS = {
    "reversed": "d = list(reversed([a, b]))",
    "reversed to a tuple": "d = tuple(reversed((a, b)))",
    "reversed in place": "d = [a, b]; d.reverse()",
    "the first deleted": "d = [a, b]; del d[0]",
    "the first removed": "d = [a, b]; d.remove(a)",
    "the first popped": "d = [a, b]; d.pop(0)",
    "one put in front": "d = [a]; d.insert(0, b)",
    "all of it replaced": "d = [a]; d[:] = [b]",
    "sorted": "d = sorted([a, b], key=lambda o: o is a)",
}
DICTS = {
    "pairs": "d = {{'o': a}}; d.update([('o', b)])",
    "zipped": "d = {{'o': a}}; d.update(zip(['o'], [b]))",
    "by its method": "d = {{'o': a}}; d.__setitem__('o', b)",
    "by a sentence": "d = {{'the o': a}}; d.update([('big one', b)]); d = {{'o': d['big one']}}",
    "frozen": "from flax.core import FrozenDict\n    d = FrozenDict({{'o': a}}).copy({{'o': b}})",
}


def whole_or_not_at_all(way: str, read: str, folder: Path) -> None:
    before = PROGRAM.format(way="    " + way.replace("{{", "{").replace("}}", "}"), read=read)
    after = text_of(migrated_program({"train.py": before}, todo=False), before, "train.py")
    if after == before:
        return
    for side, text in (("before", before), ("after", after)):
        (folder / side).mkdir()
        (folder / side / "train.py").write_text(text)
    assert compare_programs(folder / "before", folder / "after").equal


@pytest.mark.parametrize("way", LISTS.values(), ids=LISTS)
def test_a_list(way: str, tmp_path: Path) -> None:
    whole_or_not_at_all(way, "d[0]", tmp_path)


@pytest.mark.parametrize("way", DICTS.values(), ids=DICTS)
def test_a_dict(way: str, tmp_path: Path) -> None:
    whole_or_not_at_all(way, "d['o']", tmp_path)
