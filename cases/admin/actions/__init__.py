"""What staff can do to a case or a key by a button: each has a page that asks first; none decides a rule itself."""

from cases.admin.actions.catalogue import PageAction, list_actions

__all__ = ["PageAction", "list_actions"]
