"""What the sandbox knows of cases: time travel, first cases, what a case does; never in the product's own process."""
