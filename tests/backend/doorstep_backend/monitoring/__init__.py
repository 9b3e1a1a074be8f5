"""What Prometheus is given: rules that say when somebody must look, and their test."""
