"""Two real instances over one PostgreSQL, and what happens at both at once, round by round."""
