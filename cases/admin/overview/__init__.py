"""The first page of the console: what needs a person, then how the cases are doing; must not change anything."""
