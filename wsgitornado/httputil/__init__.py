"""The names of tornado.httputil: requests, headers, cookies, bodies, URLs."""

from __future__ import annotations

from wsgitornado.httputil.body import (
    BodyLimits,
    ParseBodyConfig,
    ParseMultipartConfig,
    ParseUrlEncodedConfig,
    set_parse_body_config,
)
from wsgitornado.httputil.cookies import parse_cookie
from wsgitornado.httputil.errors import HTTPInputError, HTTPOutputError
from wsgitornado.httputil.forms import (
    HTTPFile,
    parse_body_arguments,
    parse_multipart_form_data,
)
from wsgitornado.httputil.headers import (
    HTTPHeaders,
    RequestStartLine,
    ResponseStartLine,
    encode_username_password,
    format_timestamp,
    parse_request_start_line,
    parse_response_start_line,
    responses,
)
from wsgitornado.httputil.request import (
    HTTPServerRequest,
    RequestConnection,
    RequestContext,
)
from wsgitornado.httputil.urls import qs_to_qsl, split_host_and_port, url_concat

__all__ = [
    "BodyLimits",
    "HTTPFile",
    "HTTPHeaders",
    "HTTPInputError",
    "HTTPOutputError",
    "HTTPServerRequest",
    "ParseBodyConfig",
    "ParseMultipartConfig",
    "ParseUrlEncodedConfig",
    "RequestConnection",
    "RequestContext",
    "RequestStartLine",
    "ResponseStartLine",
    "encode_username_password",
    "format_timestamp",
    "parse_body_arguments",
    "parse_cookie",
    "parse_multipart_form_data",
    "parse_request_start_line",
    "parse_response_start_line",
    "qs_to_qsl",
    "responses",
    "set_parse_body_config",
    "split_host_and_port",
    "url_concat",
]
