"""Measures an agent on written threads, along the path that a reply takes in a worker, without a database."""
