"""A use of the old API whose receiver is not known is told, and stops its file."""

from migration import check_refused

HEAD = (
    "from flax import optim\n\n\ndef make(params):\n  return optim.Adam(1e-3).create(params)\n\n\n"
)


def test_a_step_of_something_from_elsewhere():
    check_refused(
        "import elsewhere\n"
        + HEAD
        + "def step(grads):\n  return elsewhere.get().apply_gradient(grads)\n",
        "FXO310",
    )


def test_the_params_of_something_called_an_optimizer():
    check_refused(
        "import elsewhere\n"
        + HEAD
        + "def read():\n  optimizer = elsewhere.get()\n  return optimizer.target\n",
        "FXO310",
    )


def test_an_optimizer_that_is_unpacked():
    check_refused(
        "from flax import optim\n\n\ndef make(params):\n"
        "  definition, state, target = optim.Adam(1e-3).create(params)\n  return target\n",
        "FXO309",
    )
