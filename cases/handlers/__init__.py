"""What a worker does with one claimed event; must not be imported by anything the web process loads."""
