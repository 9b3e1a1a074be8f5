"""The engines that store rows (SQL) and objects, each behind one interface."""
