"""What `fastgate init` writes: the manifest, the base of the policy, and a CI workflow."""
