"""How the admin writes dates and times; must not hold anything else."""
