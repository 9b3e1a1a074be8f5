"""`scripts/release`: its files, and its SBOM by CycloneDX's own schema."""
