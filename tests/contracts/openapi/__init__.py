"""What both servers answer over HTTP, held against the documents that say so."""
