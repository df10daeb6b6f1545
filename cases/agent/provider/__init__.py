"""The agent that asks a language model; only workers import it, because its libraries cost seconds and 114 MB."""
