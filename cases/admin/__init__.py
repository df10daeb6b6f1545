"""The support console on Django's admin; importing it registers its pages, and nothing else may import it."""

from cases.admin import case_admin, client_admin, mail_admin

__all__ = ["case_admin", "client_admin", "mail_admin"]
