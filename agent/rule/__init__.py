"""May a photo be taken here? The manifest, what is in reach of it, and the policy; pure."""
