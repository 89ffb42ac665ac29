"""The notices in Django's admin."""

from __future__ import annotations

from django.contrib import admin  # type: ignore[import-untyped]  # it has no annotations

from examples.django_inside.models import Notice


class NoticeAdmin(admin.ModelAdmin):  # type: ignore[misc]  # Django's classes are Any
    list_display = ("title", "is_published", "created")
    list_filter = ("is_published",)
    search_fields = ("title", "text")


admin.site.site_header = "Notice board"
admin.site.register(Notice, NoticeAdmin)
