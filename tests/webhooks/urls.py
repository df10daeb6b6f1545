"""The routes that the tests of this package need, so that they do not depend on the whole product's."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("sandbox/receiver/", include("webhooks.receiver.urls")),
]
