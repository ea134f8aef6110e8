"""`python -m pipeline.cli`, for installations without the script on the path."""

from pipeline.cli import main

main()
