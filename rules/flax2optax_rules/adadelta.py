"""Adadelta, and Adadelta with weight decay.

Flax's decay is decoupled; `optax.adadelta(weight_decay=)` adds it to the gradient, so the chain is spelled out.
Results agree to rounding.
"""

from .types import Agreement, Example, OptimizerRule, Variant

ARGUMENTS = "rho={rho?}, eps={eps?}"
DECAYED = f"optax.scale_by_adadelta({ARGUMENTS}), optax.add_decayed_weights({{weight_decay}})"
FIRST = {"sq_avg": "[0].e_g", "acc_delta": "[0].e_x"}

rule = OptimizerRule(
    flax="flax.optim.Adadelta(learning_rate=None, rho=0.9, eps=1e-6, weight_decay=0.0)",
    variants=(
        Variant(
            when="weight_decay",
            write=f"optax.chain({DECAYED}, optax.scale_by_learning_rate({{learning_rate}}))",
            unscaled=f"optax.chain({DECAYED})",
            state=FIRST,
            unscaled_state=FIRST,
            note="optax.adadelta adds its weight_decay to the gradient, flax took it off the parameters.",
        ),
        Variant(
            write=f"optax.adadelta({{learning_rate}}, {ARGUMENTS})",
            unscaled=f"optax.scale_by_adadelta({ARGUMENTS})",
            state={"sq_avg": "[1].e_g", "acc_delta": "[1].e_x"},
            unscaled_state={"sq_avg": ".e_g", "acc_delta": ".e_x"},
        ),
    ),
    agreement=Agreement.ROUNDING,
    examples=(
        Example(before="optim.Adadelta(0.1, rho=0.95)", after="optax.adadelta(0.1, rho=0.95)"),
        Example(
            before="optim.Adadelta(0.1, weight_decay=0.01)",
            after=(
                "optax.chain(optax.scale_by_adadelta(), optax.add_decayed_weights(0.01), "
                "optax.scale_by_learning_rate(0.1))"
            ),
        ),
    ),
)
