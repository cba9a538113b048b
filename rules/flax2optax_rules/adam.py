"""Adam, and Adam with weight decay.

Flax has one class for both; Optax calls the second one AdamW.
Both shrink the parameters by `learning_rate * weight_decay` of their value in the step, so only the name changes.
Results agree to rounding: Optax divides by the bias correction in a different order.
"""

from .types import Agreement, Example, OptimizerRule, Variant

ARGUMENTS = "b1={beta1?}, b2={beta2?}, eps={eps?}"
MOMENTS = {"step": "[0].count", "grad_ema": "[0].mu", "grad_sq_ema": "[0].nu"}

rule = OptimizerRule(
    flax="flax.optim.Adam(learning_rate=None, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0)",
    variants=(
        Variant(
            when="weight_decay",
            write=f"optax.adamw({{learning_rate}}, {ARGUMENTS}, weight_decay={{weight_decay}})",
            unscaled=f"optax.chain(optax.scale_by_adam({ARGUMENTS}), optax.add_decayed_weights({{weight_decay}}))",
            state=MOMENTS,
            unscaled_state=MOMENTS,
        ),
        Variant(
            write=f"optax.adam({{learning_rate}}, {ARGUMENTS})",
            unscaled=f"optax.scale_by_adam({ARGUMENTS})",
            state=MOMENTS,
            unscaled_state={"step": ".count", "grad_ema": ".mu", "grad_sq_ema": ".nu"},
        ),
    ),
    agreement=Agreement.ROUNDING,
    examples=(
        Example(before="optim.Adam(1e-3, beta2=0.98)", after="optax.adam(1e-3, b2=0.98)"),
        Example(
            before="optim.Adam(1e-3, weight_decay=0.1)",
            after="optax.adamw(1e-3, weight_decay=0.1)",
        ),
    ),
)
