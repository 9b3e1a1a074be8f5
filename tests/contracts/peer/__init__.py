"""A real peer: @tus/server from npm, alone and behind a default nginx."""
