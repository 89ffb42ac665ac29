"""The page with twenty rows, in the languages of the frameworks."""

from __future__ import annotations

__all__ = ["BOTTLE", "DJANGO", "JINJA", "TORNADO"]

_PAGE = """<!DOCTYPE html>
<html>
<head><title>{title}</title></head>
<body>
<table>
{rows}
</table>
</body>
</html>
"""

JINJA = _PAGE.format(
    title="{{ title }}",
    rows="""{% for name, price in rows %}
<tr><td>{{ name }}</td><td>{{ price }}</td></tr>
{% endfor %}""",
)

DJANGO = JINJA

TORNADO = JINJA.replace("endfor", "end")

BOTTLE = _PAGE.format(
    title="{{title}}",
    rows="""% for name, price in rows:
<tr><td>{{name}}</td><td>{{price}}</td></tr>
% end""",
)
