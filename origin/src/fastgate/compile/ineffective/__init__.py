"""Declarations that would have no effect, because nothing reads them where they are."""
