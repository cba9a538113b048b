"""Names that another function sets, and what a loop's `else` leaves of what `break` carried."""

import pytest
from migration import migrated, text_of, told

HEAD = "from flax import optim\n\n\n"
PROGRAMS = {
    "nonlocal": """
def train(params, data):
  state = None
  def reset():
    nonlocal state
    state = optim.Adam(1e-3).create(params)
  def step(g):
    nonlocal state
    state = state.apply_gradient(g)
  reset()
  for g in data:
    step(g)
  return state.target
""",
    "global": """
state = None
def init(params):
  global state
  state = optim.Adam(1e-3).create(params)
def step(g):
  global state
  state = state.apply_gradient(g)
if __name__ == '__main__':
  init({'w': 1.})
  step({'w': 1.})
  print(state.target)
""",
    "global, read in the function that sets it": """
def init(params):
  global state
  state = None
  fill(params)
  print(state.target)
def fill(params):
  global state
  state = optim.Adam(1e-3).create(params).apply_gradient(params)
init({'w': 1.})
""",
    "the else of a for": """
def find(opts, name):
  for n, o in opts.items():
    if n == name:
      found = o
      break
  else:
    found = None
  return found
def main(p, g):
  opts = {'a': optim.Adam(1e-3).create(p), 'b': optim.Adam(1e-3).create(p)}
  opts['a'] = opts['a'].apply_gradient(g)
  s = find(opts, 'a')
  return s.target
""",
    "the else of a while": """
def main(p, g):
  tries = 3
  while tries:
    s = optim.Adam(1e-3).create(p).apply_gradient(g)
    if s.target['w'] > 0:
      break
    tries -= 1
  else:
    s = None
  return s.target
""",
}


@pytest.mark.parametrize("body", PROGRAMS.values(), ids=PROGRAMS)
def test_is_followed(body):
    before = HEAD + body.strip() + "\n"
    outcome = migrated(before)
    assert told(outcome) == []
    after = text_of(outcome, before)
    assert ".target" not in after
    assert "apply_gradient(" not in after
    assert "optax" in after
