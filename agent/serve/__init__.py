"""The process that answers for the status: who may ask, and what they are told."""
