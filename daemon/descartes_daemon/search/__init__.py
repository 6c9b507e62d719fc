"""Find again what agents said and what happened."""
