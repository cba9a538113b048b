"""`flax.nn.softmax` and its like: functions of JAX, which Linen hands on too."""

import pytest
from migration import check_refused, migrated, text_of, told
from state_programs import program, refused

SPELLINGS = {
    "flax.nn.tanh": "import flax",
    "nn.tanh": "from flax import nn",
    "before.tanh": "import flax.deprecated.nn as before",
    "tanh": "from flax.nn import tanh",
}


def with_loss(head: str, activation: str) -> str:
    return program(head=head).replace("jnp.tanh(", f"{activation}(")


def test_a_module_beside_the_activations():
    refused(with_loss("from flax import nn", "nn.tanh") + "\n\nDENSE = nn.Dense\n", "FXO902")


def test_a_file_without_an_optimizer_is_not_ours():
    before = "from flax import nn\n\n\ndef f(x):\n  return nn.tanh(x)  # no flax.optim here\n"
    outcome = migrated(before)
    assert outcome.changes == () and outcome.diagnostics == ()


def test_an_activation_that_linen_does_not_have():
    check_refused(with_loss("from flax import nn", "nn.attention"), "FXO902")


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_an_activation_moves(spelled):
    before = with_loss(SPELLINGS[spelled], spelled)
    outcome = migrated(before, form="state")
    assert told(outcome) == []
    after = text_of(outcome, before)
    assert "h = linen.tanh(x @ params" in after
    assert "nn" not in after.replace("linen", "")


def test_the_import_goes_although_a_variable_has_its_name():
    before = with_loss("from flax import nn\n\n\ndef width(nn):\n  return nn", "nn.tanh")
    outcome = migrated(before, form="state")
    after = text_of(outcome, before)
    assert not outcome.changes or "from flax import nn" not in after
