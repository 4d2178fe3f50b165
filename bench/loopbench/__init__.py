"""Measures devloop, programs of its kind, and the floor that no program can be below, in turn on one machine."""
