"""Reads prepared folders and streams training triplets from them."""
