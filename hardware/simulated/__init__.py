"""A whole simulated board: its devices, the world around it, and the doors that it sees."""
