"""The OpenAPI description of the API and its page; must not change how the API behaves.

Only `views` is loaded with the routes. The rest is loaded when the description is first asked for.
"""
