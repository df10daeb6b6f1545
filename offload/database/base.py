"""The database backend; must not change what any statement means."""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, but for the check before each request's first statement (CONN_HEALTH_CHECKS)."""

    def is_usable(self) -> bool:
        """Returns whether the connection may be used, without a statement as long as the server is silent.

        Django asks `SELECT 1`, a sixth of all the round trips of a POST. A server that restarts, ends the session
        or fails over says so or hangs up, and either can be read from the socket. A host that vanished without a
        word shows in neither way.
        """
        if self.connection is not None and not self.errors_occurred and not self.connection.closed:
            poll = select.poll()
            poll.register(self.connection.fileno(), select.POLLIN)
            if not poll.poll(0):
                return True
        return super().is_usable()
