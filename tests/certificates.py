"""A certificate for localhost that is its own authority, until 2120, and its key."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CERTIFICATE", "KEY", "OTHER_KEY", "write_certificate"]

CERTIFICATE = """\
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

KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMePHmiGOnpEy65Oe
APSWRpbYZNdQtqFVSMsObaMYJZKhRANCAAQh7a1ikkg/w6eKY4fIqkvKdkJ83hSg
tDDaDSuxw/pKg+g523mcgmfw8KdQ4XYgY6fOcus2vvYMax26o4ju23Uf
-----END PRIVATE KEY-----
"""

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
