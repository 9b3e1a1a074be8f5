"""Wrong command lines, made from the real parsers: none may end in a traceback."""
