"""AdaBelief, and AdaBelief with weight decay.

Flax adds its one `eps` inside the root and outside; Optax has two names for them, so both are written.
Optax's alias has no decay, so with one the chain is spelled out: decay after the moments, before the rate.
Results agree to rounding.
"""

from .types import Agreement, Example, OptimizerRule, Variant

ARGUMENTS = "b1={beta1?}, b2={beta2?}, eps={eps?}, eps_root={eps?}"
MOMENTS = {"step": "[0].count", "grad_ema": "[0].mu", "grad_sq_ema": "[0].nu"}
DECAYED = f"optax.scale_by_belief({ARGUMENTS}), optax.add_decayed_weights({{weight_decay}})"

rule = OptimizerRule(
    flax="flax.optim.AdaBelief(learning_rate=None, beta1=0.9, beta2=0.999, eps=1e-16, weight_decay=0.0)",
    variants=(
        Variant(
            when="weight_decay",
            write=f"optax.chain({DECAYED}, optax.scale_by_learning_rate({{learning_rate}}))",
            unscaled=f"optax.chain({DECAYED})",
            state=MOMENTS,
            unscaled_state=MOMENTS,
        ),
        Variant(
            write=f"optax.adabelief({{learning_rate}}, {ARGUMENTS})",
            unscaled=f"optax.scale_by_belief({ARGUMENTS})",
            state=MOMENTS,
            unscaled_state={"step": ".count", "grad_ema": ".mu", "grad_sq_ema": ".nu"},
        ),
    ),
    agreement=Agreement.ROUNDING,
    examples=(
        Example(before="optim.AdaBelief(1e-3)", after="optax.adabelief(1e-3)"),
        Example(
            before="optim.AdaBelief(1e-3, eps=1e-8)",
            after="optax.adabelief(1e-3, eps=1e-8, eps_root=1e-8)",
        ),
        Example(
            before="optim.AdaBelief(1e-3, beta2=0.99, weight_decay=0.1)",
            after=(
                "optax.chain(optax.scale_by_belief(b2=0.99), optax.add_decayed_weights(0.1), "
                "optax.scale_by_learning_rate(1e-3))"
            ),
        ),
    ),
)
