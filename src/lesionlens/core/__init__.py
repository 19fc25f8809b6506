"""Foundations that every other package may use: errors, types, file I/O, console, runtime, tables."""
