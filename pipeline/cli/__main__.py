"""`python -m pipeline.cli`, for when the script is not on the path."""

from pipeline.cli import main

main()
