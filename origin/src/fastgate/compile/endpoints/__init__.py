"""Which endpoints an app serves, and what the edge calls them."""
