"""Two processes of the backend do two things at the same moment, round after round."""
