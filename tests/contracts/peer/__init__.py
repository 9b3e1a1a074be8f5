"""The wire with @tus/server on Node.js, also behind nginx; it signs in ES256's second spelling."""
