"""Retrieval by raw ids: exact and approximate top-k, SavedModels, recommendations."""
