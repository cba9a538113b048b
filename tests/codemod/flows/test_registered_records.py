"""Records that JAX takes apart and puts together again."""

from migration import migrated, text_of, told

RECORD = """\
import jax
from flax import optim


@jax.tree_util.register_pytree_node_class
class Record:
  def __init__(self, opt, count):
    self.opt = opt
    self.count = count

  def tree_flatten(self):
    return (self.opt,), self.count

  @classmethod
  def tree_unflatten(cls, count, children):
    return cls(*children, count)


@jax.jit
def step(record, grads):
  return Record(record.opt.apply_gradient(grads), record.count + 1)


def main(params):
  return step(Record(optim.Adam(0.1).create(params), 0), params).opt.target
"""


def test_what_is_put_together_is_what_was_taken_apart():
    outcome = migrated(RECORD)
    assert told(outcome) == []
    assert ".opt.params" in text_of(outcome, RECORD)
    assert all(flow.applied for flow in outcome.flows)
