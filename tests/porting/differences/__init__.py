"""Where wsgitornado rightly differs from Tornado: what differs, and the reason.

The lines are those of :func:`tests.porting.answers.differences`: what only Tornado's
answer has after a minus, what only ours has after a plus. A row that differs in another
way, or no longer, fails. The numbers R01 and so on are those of the security rows.
"""

from __future__ import annotations

from tests.porting.differences import (
    asynchronous,
    failures,
    forms,
    languages,
    lengths,
    output,
    pages,
    protection,
    redirects,
    requests,
    static,
)
from tests.porting.differences.lines import Row

__all__ = ["DIFFERENCES"]

#: By the id of the request: the reason, then the lines.
DIFFERENCES: dict[str, Row] = {
    **forms.DIFFERENCES,
    **requests.DIFFERENCES,
    **redirects.DIFFERENCES,
    **output.DIFFERENCES,
    **lengths.DIFFERENCES,
    **failures.DIFFERENCES,
    **protection.DIFFERENCES,
    **static.DIFFERENCES,
    **languages.DIFFERENCES,
    **pages.DIFFERENCES,
    **asynchronous.DIFFERENCES,
}
