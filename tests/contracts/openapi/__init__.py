"""Both servers answer as their OpenAPI documents say, also by schemathesis."""
