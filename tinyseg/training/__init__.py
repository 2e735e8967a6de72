"""Fit networks to images."""
