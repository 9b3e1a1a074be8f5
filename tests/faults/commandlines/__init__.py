"""No wrong command line ends in a traceback or an undocumented exit code."""
