"""The prompts, as files that are reviewed like code; each begins with a line that names its version."""
