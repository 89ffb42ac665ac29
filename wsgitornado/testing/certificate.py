"""A certificate for localhost that is its own authority, until 2120, and its key.

Its key is known to everybody, so that it proves nothing, and no client should be told
to trust it: those of tests do not look.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["CERTIFICATE", "KEY", "certificate_files"]

CERTIFICATE: Final = """\
-----BEGIN CERTIFICATE-----
MIIBiTCCAS+gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCHtrWKSSD/Dp4pj
h8iqS8p2QnzeFKC0MNoNK7HD+kqD6DnbeZyCZ/Dwp1DhdiBjp85y6za+9gxrHbqj
iO7bdR+jcDBuMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFLLg1EkeGVxBfeBD
MEWPMeqcmlOwMA4GA1UdDwEB/wQEAwIChDAsBgNVHREEJTAjgglsb2NhbGhvc3SH
BH8AAAGHEAAAAAAAAAAAAAAAAAAAAAEwCgYIKoZIzj0EAwIDSAAwRQIhAPDeRbtv
9j9vCagHju6KReJ3nDmNYL4VSaUUlqZ8KO0QAiBOFya7VBSyggjNeMEFXHtYRtfE
Rna+rHs+Og2nE/NqTA==
-----END CERTIFICATE-----
"""

KEY: Final = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMePHmiGOnpEy65Oe
APSWRpbYZNdQtqFVSMsObaMYJZKhRANCAAQh7a1ikkg/w6eKY4fIqkvKdkJ83hSg
tDDaDSuxw/pKg+g523mcgmfw8KdQ4XYgY6fOcus2vvYMax26o4ju23Uf
-----END PRIVATE KEY-----
"""


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Where the files are, until the process ends."""
    return tempfile.TemporaryDirectory(prefix="wsgitornado-")


def certificate_files() -> dict[str, str]:
    """The paths of the certificate and its key, as ``ssl_options``."""
    options = {}
    for name, text in (("certfile", CERTIFICATE), ("keyfile", KEY)):
        path = Path(_folder().name, f"{name}.pem")
        if not path.exists():
            path.write_text(text)
        options[name] = str(path)
    return options
