"""`manage.py doctor`: looks at a deployment and says what to mend; must not change anything."""
