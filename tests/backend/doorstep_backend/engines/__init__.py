"""What the backend keeps things in: SQL and objects, each behind one seam."""
