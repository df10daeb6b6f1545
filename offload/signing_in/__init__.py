"""Who gets into the admin: the limit of attempts, two-step login, and the site that asks for both."""
