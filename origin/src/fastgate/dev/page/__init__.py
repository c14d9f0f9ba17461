"""The page of `fastgate dev`: the app that serves it, what happens, and its files in `static`."""
