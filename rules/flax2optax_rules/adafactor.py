"""Adafactor.

The names of the arguments change; `weight_decay_rate` is not scaled by the rate in either.
Optax fixes flax's `epsilon2` at 1e-3, so any other scales by the parameters outside of `optax.adafactor`.
The rate comes before the momentum and the decay: with one of them no step can multiply it in afterwards.
Results agree to rounding.
"""

from .types import Agreement, Example, OptimizerRule, Variant

SECOND_MOMENT = (
    "factored={factored?}, decay_rate={decay_rate?}, decay_offset={step_offset?}, "
    "clipping_threshold={clipping_threshold?}, min_dim_size_to_factor={min_dim_size_to_factor?}, "
    "eps={epsilon1?}"
)
SCALE = "multiply_by_parameter_scale={multiply_by_parameter_scale?}"
REST = "momentum={beta1?}, dtype_momentum={dtype_momentum?}, weight_decay_rate={weight_decay_rate?}"
EPSILON2 = (
    "optax.adafactor({rate}" + SECOND_MOMENT + ", multiply_by_parameter_scale=False), "
    "optax.scale_by_param_block_rms({epsilon2})"
)
EMA = "optax.ema({beta1}, debias=False, accumulator_dtype={dtype_momentum})"
DECAY = "optax.add_decayed_weights(-{weight_decay_rate})"
VECTORS = {"step": "[0].count", "v_row": "[0].v_row", "v_col": "[0].v_col", "v": "[0].v"}
SPELLED = {name: "[0]" + path for name, path in VECTORS.items()}
NOTE = "optax.adafactor has no epsilon2; scale_by_param_block_rms takes it."


def _plain(when: str | None, *, momentum: str | None = None, last: bool = False) -> Variant:
    return Variant(
        when=when,
        write=f"optax.adafactor({{learning_rate}}, {SECOND_MOMENT}, {SCALE}, {REST})",
        unscaled=f"optax.chain(optax.adafactor({SECOND_MOMENT}, {SCALE}), optax.scale(-1))"
        if last
        else None,
        state={**VECTORS, "m": momentum} if momentum else VECTORS,
        unscaled_state=SPELLED if last else {},
    )


def _spelled(when: str, *parts: str) -> Variant:
    chain = ", ".join((EPSILON2, *parts))
    return Variant(
        when=when,
        write="optax.chain(" + chain.replace("{rate}", "{learning_rate}, ") + ")",
        unscaled=None
        if parts
        else "optax.chain(" + chain.replace("{rate}", "") + ", optax.scale(-1))",
        state={**SPELLED, "m": "-[2].ema"} if EMA in parts else SPELLED,
        unscaled_state={} if parts else SPELLED,
        note=NOTE,
    )


ABSOLUTE = "multiply_by_parameter_scale=False"

rule = OptimizerRule(
    flax=(
        "flax.optim.Adafactor(learning_rate=None, factored=True, multiply_by_parameter_scale=True, "
        "beta1=None, decay_rate=0.8, step_offset=0, clipping_threshold=1.0, weight_decay_rate=None, "
        "min_dim_size_to_factor=128, epsilon1=1e-30, epsilon2=1e-3, dtype_momentum=jnp.float32)"
    ),
    variants=(
        _plain(f"beta1 weight_decay_rate {ABSOLUTE}", momentum="[-3].ema"),
        _plain(f"beta1 {ABSOLUTE}", momentum="[-2].ema"),
        _plain(f"weight_decay_rate {ABSOLUTE}"),
        _plain(ABSOLUTE, last=True),
        Variant(
            when="epsilon2 multiply_by_parameter_scale",
            write="",
            note="epsilon2 matters only where multiply_by_parameter_scale is true: write one of the two out.",
        ),
        _spelled("epsilon2 beta1 weight_decay_rate", EMA, DECAY),
        _spelled("epsilon2 beta1", EMA),
        _spelled("epsilon2 weight_decay_rate", DECAY),
        _spelled("epsilon2"),
        _plain("beta1 weight_decay_rate", momentum="[-3].ema"),
        _plain("beta1", momentum="[-2].ema"),
        _plain("weight_decay_rate"),
        _plain(None, last=True),
    ),
    agreement=Agreement.ROUNDING,
    examples=(
        Example(before="optim.Adafactor(1e-2)", after="optax.adafactor(1e-2)"),
        Example(
            before="optim.Adafactor(1e-2, beta1=0.9, weight_decay_rate=1e-3, min_dim_size_to_factor=4)",
            after=(
                "optax.adafactor(1e-2, min_dim_size_to_factor=4, momentum=0.9, "
                "weight_decay_rate=1e-3)"
            ),
        ),
        Example(
            before="optim.Adafactor(1e-2, multiply_by_parameter_scale=False, epsilon2=0.1, clipping_threshold=None)",
            after=(
                "optax.adafactor(1e-2, clipping_threshold=None, multiply_by_parameter_scale=False)"
            ),
        ),
        Example(
            before="optim.Adafactor(1e-2, epsilon2=0.1)",
            after=(
                "optax.chain(optax.adafactor(1e-2, multiply_by_parameter_scale=False), "
                "optax.scale_by_param_block_rms(0.1))"
            ),
        ),
        Example(
            before="optim.Adafactor(1e-2, factored=False, beta1=0.9, weight_decay_rate=1e-3, epsilon2=0.1)",
            after=(
                "optax.chain(optax.adafactor(1e-2, factored=False, multiply_by_parameter_scale=False), "
                "optax.scale_by_param_block_rms(0.1), "
                "optax.ema(0.9, debias=False, accumulator_dtype=jnp.float32), "
                "optax.add_decayed_weights(-1e-3))"
            ),
        ),
    ),
)
