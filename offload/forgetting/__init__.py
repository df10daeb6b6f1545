"""What is forgotten of people on demand, and handed out of clients; the only place that knows every table."""
