"""The same small programs, written once for each framework.

Each file has a table ``BUILDERS``: for a case of ``cases.py`` that the framework can
do, a function that makes an application for it.
"""
