"""No order of presses, cuts, clocks and faults loses a record."""
