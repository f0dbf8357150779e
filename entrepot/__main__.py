"""`python -m entrepot`."""

from entrepot.cli.main import main

main()
