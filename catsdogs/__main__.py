"""`python -m catsdogs`, for where the script folder is not on the path."""

from catsdogs.cli import main

main()
