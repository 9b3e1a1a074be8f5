"""What each device last said of itself, and what the backend adds to it."""
