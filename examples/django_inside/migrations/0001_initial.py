"""The table of notices."""

from __future__ import annotations

from django.db import migrations, models  # type: ignore[import-untyped]  # it has no annotations
from django.utils import timezone  # type: ignore[import-untyped]  # as above


class Migration(migrations.Migration):  # type: ignore[misc]  # Django's classes are Any
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [
        migrations.CreateModel(
            "Notice",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("title", models.CharField(max_length=100)),
                ("text", models.TextField()),
                ("is_published", models.BooleanField(default=True)),
                (
                    "created",
                    models.DateTimeField(default=timezone.now, editable=False),
                ),
            ],
            {"ordering": ("-created", "-id")},
        ),
    ]
