"""What old flax trains and saves: every optimizer and its variants, in both precisions."""

from dataclasses import dataclass

ALL = ("0.3.2", "0.3.6", "0.5.3")
SECOND = ("0.2.2", *ALL)
FIRST = ("0.1.0", *SECOND)
"""Without what had other defaults or steps in the first one: RMSProp's `beta2`, and LARS at zero parameters."""
BELIEF = ("0.3.6", "0.5.3")
NEWEST = ("0.5.3",)
OLDER = ("0.1.0", "0.2.2", "0.3.2", "0.3.6")


@dataclass(frozen=True)
class Case:
    """How old flax makes an optimizer, and how it is named to the conversion; no `options` is the call itself."""

    name: str
    before: str
    versions: tuple[str, ...] = FIRST
    dtype: str = "float32"
    options: tuple[str, ...] = ()
    focus: str | None = None
    tree: str = "net"
    steps: int = 4
    saved: int = 2
    layouts: tuple[str, ...] = ("root",)

    @property
    def casts(self) -> bool:
        """Adafactor keeps its moments in float32 in flax, in the dtype of the parameters in Optax."""
        return "Adafactor" in self.before and self.dtype == "bfloat16"


EVERY = (
    ("sgd", "optim.GradientDescent(0.1)", FIRST),
    ("momentum", "optim.Momentum(0.1)", FIRST),
    ("momentum_nesterov", "optim.Momentum(0.1, 0.8, nesterov=True)", FIRST),
    ("momentum_decay", "optim.Momentum(0.1, weight_decay=1e-2)", FIRST),
    ("adam", "optim.Adam(1e-2, beta2=0.9)", FIRST),
    ("adam_decay", "optim.Adam(1e-2, beta2=0.9, weight_decay=0.1)", FIRST),
    ("adabelief", "optim.AdaBelief(1e-2, beta2=0.9)", BELIEF),
    ("adabelief_decay", "optim.AdaBelief(1e-2, beta2=0.9, weight_decay=0.1)", BELIEF),
    ("adadelta", "optim.Adadelta(3.0, rho=0.95)", ALL),
    ("adadelta_decay", "optim.Adadelta(3.0, weight_decay=0.01)", ALL),
    ("adafactor", "optim.Adafactor(1e-2)", SECOND),
    ("adafactor_factored", "optim.Adafactor(1e-2, min_dim_size_to_factor=3)", SECOND),
    ("adafactor_momentum", "optim.Adafactor(1e-2, beta1=0.9, min_dim_size_to_factor=3)", SECOND),
    (
        "adafactor_all",
        "optim.Adafactor(1e-2, factored=False, beta1=0.9, weight_decay_rate=1e-3, epsilon2=0.1)",
        SECOND,
    ),
    ("adagrad", "optim.Adagrad(0.1)", FIRST),
    ("rmsprop", "optim.RMSProp(1e-2, beta2=0.9)", FIRST),
    ("rmsprop_centered", "optim.RMSProp(1e-2, beta2=0.95, eps=1e-5, centered=True)", ALL),
    ("lamb", "optim.LAMB(0.5, beta2=0.9)", FIRST),
    ("lamb_decay", "optim.LAMB(0.5, beta2=0.9, weight_decay=0.1, eps=1e-5)", FIRST),
    ("lars", "optim.LARS(0.1)", SECOND),
    ("lars_decay", "optim.LARS(0.1, 0.8, weight_decay=1e-2, eps=1e-6, nesterov=True)", SECOND),
    ("weight_norm", "optim.WeightNorm(optim.Momentum(0.1))", NEWEST),
    ("weight_norm_adam", "optim.WeightNorm(optim.Adam(1e-2, beta2=0.9), wn_decay=0.01)", NEWEST),
)  # fmt: skip
SINGLE = tuple(
    Case(f"{name}.{dtype}", before, versions, dtype)
    for name, before, versions in EVERY
    for dtype in ("float32", "bfloat16")
)
GROUPS = (
    Case(
        "multi.float32",
        "optim.MultiOptimizer((kernels, optim.Momentum(0.01)), (biases, optim.Momentum(0.1, 0.8)))",
        ALL,
        options=("--group", "kernel=Momentum(0.01)", "--group", "bias=Momentum(0.1, 0.8)"),
    ),
    Case(
        "multi.bfloat16",
        "optim.MultiOptimizer((kernels, optim.GradientDescent(0.1)), (biases, optim.Momentum(0.1)))",
        ALL,
        dtype="bfloat16",
        options=("--group", "kernel=GradientDescent(0.1)", "--group", "bias=Momentum(0.1)"),
    ),
    Case(
        "multi_kinds.float32",
        "optim.MultiOptimizer((biases, optim.LARS(0.1)), (kernels, optim.Adam(1e-2)))",
        ALL,
        options=("--group", "bias=LARS(0.1)", "--group", "kernel=Adam(1e-2)"),
    ),
    Case(
        "focus.float32",
        "optim.Adam(1e-2)",
        ALL,
        focus="dense",
        options=("--group", "/dense/=Adam(1e-2)"),
    ),
    Case(
        "focus.bfloat16",
        "optim.Momentum(0.1)",
        ALL,
        dtype="bfloat16",
        focus="dense",
        options=("--group", "/dense/=Momentum(0.1)"),
    ),
)
LAYOUTS = (
    Case(
        "layouts.float32",
        "optim.Adam(1e-2)",
        layouts=("bytes", "nested", "replicated", "pickle"),
    ),
    Case("layouts.scalar", "optim.Adam(1e-2)", tree="scalar", layouts=("bytes",)),
)
OLD_WEIGHT_NORM = Case("weight_norm.old", "optim.WeightNorm(optim.Momentum(0.1))", OLDER)
TRAINED = (*SINGLE, *GROUPS)
CASES = (*TRAINED, *LAYOUTS, OLD_WEIGHT_NORM)
