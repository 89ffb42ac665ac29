"""The TLS context that a request asks for."""

from __future__ import annotations

import functools
import ssl

from wsgitornado.httpclient.request import HTTPRequest
from wsgitornado.netutil import ssl_options_to_context

__all__ = ["make_context"]


def make_context(request: HTTPRequest) -> ssl.SSLContext:
    """The context for a request over TLS: from its ``ssl_options``, or the rest.

    :raises OSError: for files that cannot be read.
    """
    options = request.ssl_options
    if options is None:
        options = {}
        if not request.validate_cert:
            options["cert_reqs"] = ssl.CERT_NONE
        if request.ca_certs is not None:
            options["ca_certs"] = request.ca_certs
        if request.client_cert is not None:
            options["certfile"] = request.client_cert
        if request.client_key is not None:
            options["keyfile"] = request.client_key
        if not options:
            return _default_context()
    return ssl_options_to_context(options, server_side=False)


@functools.cache
def _default_context() -> ssl.SSLContext:
    # Reading the authorities of the system takes longer than many a request.
    return ssl_options_to_context({}, server_side=False)
