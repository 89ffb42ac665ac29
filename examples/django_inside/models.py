"""What is kept: notices, written in Django's admin and shown by our handlers."""

from __future__ import annotations

from django.db import models  # type: ignore[import-untyped]  # it has no annotations
from django.utils import timezone  # type: ignore[import-untyped]  # as above


class Notice(models.Model):  # type: ignore[misc]  # Django's classes are Any
    """A notice on the board; a draft until it is published."""

    title = models.CharField(max_length=100)
    text = models.TextField()
    is_published = models.BooleanField(default=True)
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("-created", "-id")

    def __str__(self) -> str:
        return str(self.title)
