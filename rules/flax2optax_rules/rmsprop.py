"""RMSProp.

Flax adds `eps` outside of the root, Optax inside unless told.
Results agree to rounding; where the centered variance rounds below zero both give NaN, not always in the same places.
"""

from .types import Agreement, Example, OptimizerRule, Variant

ARGUMENTS = "decay={beta2?}, eps={eps?}, eps_in_sqrt=False"
WRITE = f"optax.rmsprop({{learning_rate}}, {ARGUMENTS}, centered={{centered?}})"
CENTERED = {"v": "[0].nu", "mg": "[0].mu"}

rule = OptimizerRule(
    flax="flax.optim.RMSProp(learning_rate=None, beta2=0.9, eps=1e-8, centered=False)",
    variants=(
        Variant(
            when="centered=True",
            write=WRITE,
            unscaled=f"optax.scale_by_stddev({ARGUMENTS})",
            state=CENTERED,
            unscaled_state={"v": ".nu", "mg": ".mu"},
        ),
        Variant(
            when="centered",
            write=WRITE,
            unscaled=f"(optax.scale_by_stddev if {{centered}} else optax.scale_by_rms)({ARGUMENTS})",
            state=CENTERED,
            unscaled_state={"v": ".nu", "mg": ".mu"},
        ),
        Variant(
            write=WRITE,
            unscaled=f"optax.scale_by_rms({ARGUMENTS})",
            state={"v": "[0].nu"},
            unscaled_state={"v": ".nu"},
        ),
    ),
    agreement=Agreement.ROUNDING,
    examples=(
        Example(before="optim.RMSProp(1e-2)", after="optax.rmsprop(1e-2, eps_in_sqrt=False)"),
        Example(
            before="optim.RMSProp(1e-2, beta2=0.95, eps=1e-5, centered=True)",
            after="optax.rmsprop(1e-2, decay=0.95, eps=1e-5, eps_in_sqrt=False, centered=True)",
        ),
    ),
)
