"""Files of the certificate that ``wsgitornado.testing`` brings, and a wrong key."""

from __future__ import annotations

from pathlib import Path

from wsgitornado.testing.certificate import CERTIFICATE, KEY

__all__ = ["CERTIFICATE", "KEY", "OTHER_KEY", "write_certificate"]

#: A key that belongs to nothing.
OTHER_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6PXCfJ0usQSu4MRM
js/O94OFjpgqDN6D5aSwVW7nYKehRANCAAQIiF5a5EwAG/G9R0P0LEs/RoW0NamV
yIJcCLallwuPsi5kgBQtXESJxQldMSH4SBaRTDGJqONiWNs+kMDsNzCa
-----END PRIVATE KEY-----
"""


def write_certificate(folder: Path) -> dict[str, str]:
    """Write the files, and return them as ``ssl_options``."""
    options = {}
    for name, text in (("certfile", CERTIFICATE), ("keyfile", KEY)):
        path = folder / f"{name}.pem"
        path.write_text(text)
        options[name] = str(path)
    return options
