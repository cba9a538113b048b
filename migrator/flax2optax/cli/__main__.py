"""`python -m flax2optax.cli`."""

import sys

from flax2optax.cli import main

sys.exit(main())
