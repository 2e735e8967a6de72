"""``python -m tinyseg`` is the command line."""

from tinyseg.cli import main

main()
