"""The commands of ``python -m wsgitornado``, a file for each.

Each of these has ``add_parser(subparsers)``, which sets ``func``: a function of the
:class:`argparse.Namespace` that returns the exit status.
"""
