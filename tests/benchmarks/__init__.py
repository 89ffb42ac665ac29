"""Speed beside bare WSGI and other frameworks: in process, and behind waitress."""
