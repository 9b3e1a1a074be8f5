"""Two processes of the backend may do two things at the same moment."""
