"""Searching documents: corpora, indexes and how their rankings are put together."""
