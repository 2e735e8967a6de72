"""Experiments that anyone can run again: ``make experiment NAME=...``."""
