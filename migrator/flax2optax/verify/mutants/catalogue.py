"""The mistakes: what flax was told, the Optax that is right, and one that is wrong.

`rate` is what the step of the program before passes as `learning_rate`; `clip` is what it does to its gradients.
`slip` is a mistake in the step itself and not in the transformation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SCALED: Final = "scaled"
INJECTED: Final = "injected"


@dataclass(frozen=True, slots=True)
class Program:
    """A training setup: flax's optimizer and the one that equals it.

    `form` is where the rate of a step goes after: into the transformation, over its updates, or into its state.
    """

    flax: str
    optax: str
    rate: str = ""
    clip: str = ""
    form: str = ""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: another transformation, or a slip in the step."""

    program: Program
    optax: str = ""
    slip: str = ""


def _chain(*parts: str) -> str:
    return f"optax.chain({', '.join(parts)})"


ADAM = Program("optim.Adam(1e-3)", "optax.adam(1e-3)")
ADAM_EPS = Program("optim.Adam(1e-3, eps=1e-5)", "optax.adam(1e-3, eps=1e-5)")
ADAM_BETAS = Program("optim.Adam(1e-3, beta1=0.8, beta2=0.98)", "optax.adam(1e-3, b1=0.8, b2=0.98)")
ADAMW = Program("optim.Adam(1e-3, weight_decay=0.1)", "optax.adamw(1e-3, weight_decay=0.1)")
SGD = Program("optim.GradientDescent(0.1)", "optax.sgd(0.1)")
MOMENTUM = Program("optim.Momentum(0.05)", "optax.sgd(0.05, momentum=0.9)")
MOMENTUM_HALF = Program("optim.Momentum(0.05, beta=0.5)", "optax.sgd(0.05, momentum=0.5)")
NESTEROV = Program(
    "optim.Momentum(0.05, nesterov=True)", "optax.sgd(0.05, momentum=0.9, nesterov=True)"
)
MOMENTUM_DECAY = Program(
    "optim.Momentum(0.05, weight_decay=1e-2)",
    _chain("optax.add_decayed_weights(1e-2)", "optax.sgd(0.05, momentum=0.9)"),
)
ADABELIEF = Program(
    "optim.AdaBelief(1e-3, eps=1e-8)", "optax.adabelief(1e-3, eps=1e-8, eps_root=1e-8)"
)
ADABELIEF_DECAY = Program(
    "optim.AdaBelief(1e-3, weight_decay=0.1)",
    _chain(
        "optax.scale_by_belief(eps=1e-16, eps_root=1e-16)",
        "optax.add_decayed_weights(0.1)",
        "optax.scale(-1e-3)",
    ),
)
ADADELTA = Program("optim.Adadelta(0.5, eps=1e-4)", "optax.adadelta(0.5, rho=0.9, eps=1e-4)")
ADADELTA_DECAY = Program(
    "optim.Adadelta(0.1, weight_decay=0.01)",
    _chain(
        "optax.scale_by_adadelta(rho=0.9, eps=1e-6)",
        "optax.add_decayed_weights(0.01)",
        "optax.scale(-0.1)",
    ),
)
ADAFACTOR_DECAY = Program(
    "optim.Adafactor(1e-2, weight_decay_rate=1e-3)",
    "optax.adafactor(1e-2, weight_decay_rate=1e-3)",
)
ADAFACTOR_CLIP = Program(
    "optim.Adafactor(1e-2, clipping_threshold=0.5)",
    "optax.adafactor(1e-2, clipping_threshold=0.5)",
)
ADAFACTOR_MOMENTUM = Program(
    "optim.Adafactor(1e-2, beta1=0.9)", "optax.adafactor(1e-2, momentum=0.9)"
)
ADAFACTOR_EPSILON = Program(
    "optim.Adafactor(1e-2, epsilon2=0.1)",
    _chain(
        "optax.scale_by_factored_rms()",
        "optax.clip_by_block_rms(1.0)",
        "optax.scale(1e-2)",
        "optax.scale_by_param_block_rms(0.1)",
        "optax.scale(-1)",
    ),
)
ADAGRAD = Program("optim.Adagrad(0.1)", _chain("scale_by_adagrad()", "optax.scale(-0.1)"))
ADAGRAD_EPS = Program(
    "optim.Adagrad(0.1, eps=1e-4)", _chain("scale_by_adagrad(eps=1e-4)", "optax.scale(-0.1)")
)
RMSPROP = Program(
    "optim.RMSProp(1e-3, eps=1e-5)", "optax.rmsprop(1e-3, decay=0.9, eps=1e-5, eps_in_sqrt=False)"
)
RMSPROP_SLOW = Program(
    "optim.RMSProp(1e-3, beta2=0.99)",
    "optax.rmsprop(1e-3, decay=0.99, eps=1e-8, eps_in_sqrt=False)",
)
RMSPROP_CENTERED = Program(
    "optim.RMSProp(1e-3, eps=1e-3, centered=True)",
    "optax.rmsprop(1e-3, decay=0.9, eps=1e-3, eps_in_sqrt=False, centered=True)",
)
LAMB = Program(
    "optim.LAMB(1e-2)",
    _chain("optax.scale_by_adam(eps=1e-6)", "lamb_trust_ratio()", "optax.scale(-1e-2)"),
)
LAMB_DECAY = Program(
    "optim.LAMB(1e-2, weight_decay=0.1)",
    _chain(
        "optax.scale_by_adam(eps=1e-6)",
        "optax.add_decayed_weights(0.1)",
        "lamb_trust_ratio()",
        "optax.scale(-1e-2)",
    ),
)
LARS = Program("optim.LARS(0.1)", "optax.lars(0.1, weight_decay=0.0)")
LARS_DECAY = Program(
    "optim.LARS(0.1, weight_decay=1e-2)",
    _chain("lars_trust_ratio(1e-2)", "optax.scale(-0.1)", "optax.trace(0.9)"),
)
WEIGHT_NORM = Program(
    "optim.WeightNorm(optim.Momentum(0.05))", "weight_norm(optax.sgd(0.05, momentum=0.9))"
)
GROUP = Program(
    "optim.MultiOptimizer((kernels, optim.Momentum(0.01)))",
    "multi_optimizer((kernels, optax.sgd(0.01, momentum=0.9)))",
)
GROUPS = Program(
    "optim.MultiOptimizer((kernels, optim.Momentum(0.01)), (biases, optim.Adam(1e-3)))",
    "multi_optimizer((kernels, optax.sgd(0.01, momentum=0.9)), (biases, optax.adam(1e-3)))",
)
NOAM = Program("optim.Adam()", "optax.adam(noam)", rate="noam")
DROP = Program("optim.Momentum(0.3)", "optax.sgd(drop, momentum=0.9)", rate="drop")
END = Program("optim.GradientDescent()", "optax.sgd(end)", rate="end")
CLIPPED = Program(
    "optim.Adam(1e-3)",
    _chain("optax.clip_by_global_norm(0.05)", "optax.adam(1e-3)"),
    clip="clip_by_norm",
)
CLIPPED_DECAY = Program(
    "optim.Momentum(0.05, weight_decay=1e-2)",
    _chain(
        "optax.clip_by_global_norm(0.05)",
        "optax.add_decayed_weights(1e-2)",
        "optax.sgd(0.05, momentum=0.9)",
    ),
    clip="clip_by_norm",
)

MUTANTS: Final[Mapping[str, Mutant]] = {
    "Adam's decay dropped": Mutant(ADAMW, "optax.adam(1e-3)"),
    "Adam's decay after the rate": Mutant(
        ADAMW, _chain("optax.adam(1e-3)", "optax.add_decayed_weights(0.1)")
    ),
    "Adam's decay before the moments": Mutant(
        ADAMW, _chain("optax.add_decayed_weights(0.1)", "optax.adam(1e-3)")
    ),
    "adamw's own decay": Mutant(ADAM, "optax.adamw(1e-3)"),
    "a tiny decay": Mutant(ADAM, "optax.adamw(1e-3, weight_decay=1e-8)"),
    "Momentum's decay dropped": Mutant(MOMENTUM_DECAY, "optax.sgd(0.05, momentum=0.9)"),
    "Momentum's decay after the trace": Mutant(
        MOMENTUM_DECAY,
        _chain("optax.trace(0.9)", "optax.add_decayed_weights(1e-2)", "optax.scale(-0.05)"),
    ),
    "Momentum's decay outside": Mutant(
        MOMENTUM_DECAY,
        _chain("optax.sgd(0.05, momentum=0.9)", "optax.add_decayed_weights(-0.05e-2)"),
    ),
    "Adadelta's coupled decay": Mutant(
        ADADELTA_DECAY, "optax.adadelta(0.1, rho=0.9, eps=1e-6, weight_decay=0.01)"
    ),
    "Adafactor's decay scaled by the rate": Mutant(
        ADAFACTOR_DECAY, "optax.adafactor(1e-2, weight_decay_rate=1e-5)"
    ),
    "AdaBelief's decay before the moments": Mutant(
        ADABELIEF_DECAY,
        _chain(
            "optax.add_decayed_weights(0.1)",
            "optax.scale_by_belief(eps=1e-16, eps_root=1e-16)",
            "optax.scale(-1e-3)",
        ),
    ),
    "LAMB's decay dropped": Mutant(LAMB_DECAY, LAMB.optax),
    "LARS' alias with decay": Mutant(LARS_DECAY, "optax.lars(0.1, weight_decay=1e-2)"),
    "Adam's eps_root for eps": Mutant(ADAM_EPS, "optax.adam(1e-3, eps=0.0, eps_root=1e-5)"),
    "Adam's eps left to its default": Mutant(ADAM_EPS, "optax.adam(1e-3)"),
    "RMSProp's eps inside the root": Mutant(RMSPROP, "optax.rmsprop(1e-3, decay=0.9, eps=1e-5)"),
    "RMSProp's eps left to its default": Mutant(
        RMSPROP, "optax.rmsprop(1e-3, decay=0.9, eps_in_sqrt=False)"
    ),
    "AdaBelief's eps_root left behind": Mutant(ADABELIEF, "optax.adabelief(1e-3, eps=1e-8)"),
    "Adadelta's eps left to its default": Mutant(ADADELTA, "optax.adadelta(0.5, rho=0.9)"),
    "Adagrad's alias": Mutant(ADAGRAD, "optax.adagrad(0.1)"),
    "Adagrad's alias with squared eps": Mutant(
        ADAGRAD_EPS, "optax.adagrad(0.1, initial_accumulator_value=0.0, eps=1e-8)"
    ),
    "LAMB's eps left to its default": Mutant(
        LAMB, _chain("optax.scale_by_adam()", "lamb_trust_ratio()", "optax.scale(-1e-2)")
    ),
    "Adafactor's epsilon2 dropped": Mutant(ADAFACTOR_EPSILON, "optax.adafactor(1e-2)"),
    "WeightNorm's eps": Mutant(
        WEIGHT_NORM, "weight_norm(optax.sgd(0.05, momentum=0.9), wn_eps=1e-6)"
    ),
    "WeightNorm dropped": Mutant(WEIGHT_NORM, "optax.sgd(0.05, momentum=0.9)"),
    "Momentum's default forgotten": Mutant(MOMENTUM, "optax.sgd(0.05)"),
    "Momentum's beta dropped": Mutant(MOMENTUM_HALF, "optax.sgd(0.05, momentum=0.9)"),
    "nesterov dropped": Mutant(NESTEROV, "optax.sgd(0.05, momentum=0.9)"),
    "ema for trace": Mutant(MOMENTUM, _chain("optax.ema(0.9)", "optax.scale(-0.05)")),
    "Adam's betas dropped": Mutant(ADAM_BETAS, "optax.adam(1e-3)"),
    "Adam's betas swapped": Mutant(ADAM_BETAS, "optax.adam(1e-3, b1=0.98, b2=0.8)"),
    "RMSProp's decay dropped": Mutant(
        RMSPROP_SLOW, "optax.rmsprop(1e-3, eps=1e-8, eps_in_sqrt=False)"
    ),
    "RMSProp no longer centered": Mutant(
        RMSPROP_CENTERED, "optax.rmsprop(1e-3, decay=0.9, eps=1e-3, eps_in_sqrt=False)"
    ),
    "Adafactor's clip dropped": Mutant(ADAFACTOR_CLIP, "optax.adafactor(1e-2)"),
    "Adafactor's momentum dropped": Mutant(ADAFACTOR_MOMENTUM, "optax.adafactor(1e-2)"),
    "LAMB's alias": Mutant(LAMB, "optax.lamb(1e-2)"),
    "LARS' momentum dropped": Mutant(LARS, "optax.lars(0.1, weight_decay=0.0, momentum=0.0)"),
    "the schedule one step early": Mutant(NOAM, "optax.adam(lambda count: noam(count + 1))"),
    "the schedule one step late": Mutant(
        NOAM, "optax.adam(lambda count: noam(jnp.maximum(count - 1, 0)))"
    ),
    "the boundary at 1000 one step late": Mutant(
        DROP, "optax.sgd(lambda count: drop(count - (count == 1000)), momentum=0.9)"
    ),
    "the end at 10000 one step early": Mutant(
        END, "optax.sgd(lambda count: end(count + (count == 9999)))"
    ),
    "the schedule left at its first value": Mutant(NOAM, "optax.adam(noam(0))"),
    "the dead rate of the constructor used": Mutant(DROP, "optax.sgd(0.3, momentum=0.9)"),
    "the rate missing": Mutant(NOAM, "optax.scale_by_adam()"),
    "the rate taken twice": Mutant(MOMENTUM, _chain(MOMENTUM.optax, "optax.scale(0.05)")),
    "the sign turned": Mutant(SGD, "optax.sgd(-0.1)"),
    "the clip missing": Mutant(CLIPPED, "optax.adam(1e-3)"),
    "the clip by value": Mutant(CLIPPED, _chain("optax.clip(0.05)", "optax.adam(1e-3)")),
    "the clip of each leaf": Mutant(
        CLIPPED, _chain("optax.clip_by_block_rms(0.05)", "optax.adam(1e-3)")
    ),
    "the clip at another norm": Mutant(
        CLIPPED, _chain("optax.clip_by_global_norm(0.06)", "optax.adam(1e-3)")
    ),
    "the clip after the decay": Mutant(
        CLIPPED_DECAY,
        _chain(
            "optax.add_decayed_weights(1e-2)",
            "optax.clip_by_global_norm(0.05)",
            "optax.sgd(0.05, momentum=0.9)",
        ),
    ),
    "the rest trained": Mutant(GROUP, "optax.sgd(0.01, momentum=0.9)"),
    "the rest ascends": Mutant(GROUP, "optax.masked(optax.sgd(0.01, momentum=0.9), is_kernel)"),
    "the wrong group": Mutant(GROUP, "multi_optimizer((biases, optax.sgd(0.01, momentum=0.9)))"),
    "the groups swapped": Mutant(
        GROUPS,
        "multi_optimizer((biases, optax.sgd(0.01, momentum=0.9)), (kernels, optax.adam(1e-3)))",
    ),
    "the state not threaded": Mutant(ADAM, slip="old state"),
    "the state made anew in each step": Mutant(MOMENTUM, slip="new state"),
    "the updates applied twice": Mutant(MOMENTUM, slip="twice"),
    "stale parameters for the decay": Mutant(ADAMW, slip="stale params"),
    "the gradients summed over devices, or doubled": Mutant(MOMENTUM, slip="sum"),
}
