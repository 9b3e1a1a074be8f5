"""The pictures of the pages; `python -m tests.pictures` makes them again."""
