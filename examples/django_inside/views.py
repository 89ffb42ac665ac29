"""Django's own pages: an export that is streamed and an import by upload."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator
from typing import Any

from django import forms  # type: ignore[import-untyped]  # it has no annotations
from django.http import StreamingHttpResponse  # type: ignore[import-untyped]  # as above
from django.shortcuts import redirect, render  # type: ignore[import-untyped]  # as above
from django.urls import get_script_prefix  # type: ignore[import-untyped]  # as above

from examples.django_inside.models import Notice

COLUMNS = ["title", "text"]


class Line:
    """A file for the csv module that hands each line on."""

    def write(self, line: str) -> bytes:
        return line.encode("utf-8")


def csv_lines(notices: Iterable[Notice]) -> Iterator[bytes]:
    writer = csv.writer(Line())
    yield writer.writerow(COLUMNS)
    for notice in notices:
        yield writer.writerow([notice.title, notice.text])


def export_notices(request: Any) -> StreamingHttpResponse:
    """Send the published notices, read from the database as they go out."""
    notices = Notice.objects.filter(is_published=True)
    return StreamingHttpResponse(
        csv_lines(notices.iterator()),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="notices.csv"'},
    )


class ImportForm(forms.Form):  # type: ignore[misc]  # Django's classes are Any
    """A CSV file as the export makes it; the notices in it become drafts."""

    file = forms.FileField(label="A CSV file with the columns title and text")

    def clean_file(self) -> list[Notice]:
        lines = codecs.iterdecode(self.cleaned_data["file"], "utf-8-sig")
        rows = csv.DictReader(lines, restval="")
        try:
            notices = [self.read_row(row) for row in rows]
        except forms.ValidationError as error:
            raise forms.ValidationError(error.messages) from error
        except (csv.Error, KeyError, UnicodeDecodeError) as error:
            raise forms.ValidationError(
                f"This is not a CSV file of notices: {error}"
            ) from error
        if not notices:
            raise forms.ValidationError("There are no notices in this file.")
        return notices

    def read_row(self, row: dict[str, str]) -> Notice:
        notice = Notice(title=row["title"], text=row["text"], is_published=False)
        notice.full_clean()
        return notice


def import_notices(request: Any) -> Any:
    """Show the form, or take the uploaded file in and go to the drafts."""
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        Notice.objects.bulk_create(form.cleaned_data["file"])
        # Ours: Django does not know its name.
        return redirect(f"{get_script_prefix()}drafts")
    values = {"title": "Import", "board_url": get_script_prefix(), "form": form}
    status = 422 if form.is_bound else 200
    return render(request, "board/import.html", values, status=status)
