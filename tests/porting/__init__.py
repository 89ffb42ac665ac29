"""One program, run on Tornado and on wsgitornado: the answers are compared.

A program is a file in ``programs``: its imports say ``tornado``, ``make_app()`` gives
its application, and ``REQUESTS`` has what is asked of it, by name. A new file there is
found by itself. It must not remember a request when it answers the next one, and each
request ends its connection. What rightly differs goes to ``differences``.
"""
