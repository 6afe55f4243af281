"""`python -m houseprices`."""

from houseprices.cli import main

main()
