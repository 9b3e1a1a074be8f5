"""The rules of each module, in folders that mirror the code."""
