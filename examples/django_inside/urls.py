"""Django's own addresses."""

from __future__ import annotations

from django.contrib import admin  # type: ignore[import-untyped]  # it has no annotations
from django.contrib.admin.views.decorators import (  # type: ignore[import-untyped]  # as above
    staff_member_required,
)
from django.urls import path  # type: ignore[import-untyped]  # as above

from examples.django_inside import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("export.csv", views.export_notices, name="export"),
    path("import", staff_member_required(views.import_notices), name="import"),
]
