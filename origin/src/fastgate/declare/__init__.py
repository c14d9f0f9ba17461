"""The declarations that an app makes with `at_edge`, and how they are stored and merged."""
