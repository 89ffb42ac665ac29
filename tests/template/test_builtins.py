"""What templates have of Python itself."""

from __future__ import annotations

from datetime import datetime

from wsgitornado.template import Template


def test_c_code_that_imports_something_works_in_a_template() -> None:
    # It takes __import__ from the globals of the frame that called it.
    template = Template('{{ moment.strftime("%H:%M") }}')
    assert template.generate(moment=datetime(2026, 1, 2, 3, 4)) == b"03:04"
