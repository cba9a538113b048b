"""How clear of the threshold the verdict is: every mutant and every right migration on three programs.

    python benchmarks/verify_mutants.py [PART OF A NAME ...]

Prints one line for each, then the smallest ratio of a mutant to the threshold and of the threshold to a right migration.
"""

import os
import sys
import warnings
from pathlib import Path

TOP = Path(__file__).parents[1]
sys.path[:0] = [str(TOP / "migrator"), str(TOP / "rules")]
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")


def main() -> int:
    """Every mutant whose name has one of the words; all without words."""
    from flax2optax.verify.mutants.catalogue import MUTANTS
    from flax2optax.verify.mutants.judge import judge_mutants, summary
    from flax2optax.verify.mutants.models import all_models
    from flax2optax.verify.precision import float64
    from flax2optax.verify.reference import serve

    words = sys.argv[1:]
    chosen = {
        name: mutant
        for name, mutant in MUTANTS.items()
        if not words or any(word in name for word in words)
    }
    with float64(), serve() as optim:
        return summary(
            judge_mutants(optim, all_models(), chosen), lambda line: print(line, flush=True)
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    sys.exit(main())
