"""The pages: their links, paths, sources of numbers, language and generated tables."""
