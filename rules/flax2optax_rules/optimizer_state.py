"""The state that the user's own optimizers take and return."""

from .types import Support

SOURCE = """\
@flax.struct.dataclass
class OptimizerState:
  \"\"\"flax.optim.OptimizerState: a count, and what each param has.\"\"\"
  step: jax.Array
  param_states: object
"""

support = Support(
    name="OptimizerState",
    source=SOURCE,
    imports=("import flax", "import jax"),
    why="The methods of an optimizer of the program take and return it.",
)
