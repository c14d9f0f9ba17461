"""The policy of the local edge: how it differs here, and how a change comes into force."""
