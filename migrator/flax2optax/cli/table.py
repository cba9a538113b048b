"""The commands by name. A module of `commands` is imported when its command is called or asked for help."""

COMMANDS = {
    "migrate": "Rewrite programs from flax.optim to Optax, in place (the default command).",
    "check": "Report what is to be migrated; write nothing.",
    "graph": "Show the way of each optimizer through the program, as text or as a picture.",
    "checkpoint": "Convert a saved flax.optim state to Optax.",
    "verify": "Run the program before and after, and prove that it trains the same.",
    "undo": "Put back the bytes that a run replaced.",
    "explain": "Tell what a code or a rule means.",
}
DEFAULT = "migrate"
