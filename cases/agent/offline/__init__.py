"""An agent made of rules: deterministic, for local use, tests and demos; hands over what it does not understand."""
