"""The admin's name and frame; must not register a model."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig


class OffloadAdminSite(AdminSite):
    site_title = "Offload"
    site_header = "Offload"
    index_title = "Overview"
    # There is no site beside the API to link to.
    site_url = None
    # With the filters on the right it leaves too little room for a list on a small screen.
    enable_nav_sidebar = False


class OffloadAdminConfig(AdminConfig):
    # A dotted name, because Django loads the site only once every app is ready.
    default_site = "offload.admin_site.OffloadAdminSite"
