"""Find declarations that have no effect where they are."""
