"""Two real instances over one PostgreSQL, which do things at the same moment, round by round."""
