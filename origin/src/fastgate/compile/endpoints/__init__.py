"""The endpoints of an app, what they inherit, and the members of their routes."""
