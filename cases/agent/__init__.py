"""The mind: what to write and how to judge a reply; knows no Django, no queue and no recipient's address."""
