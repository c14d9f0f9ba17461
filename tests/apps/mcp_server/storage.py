"""The notes, in memory."""

notes = ["buy paper", "call Bob"]
