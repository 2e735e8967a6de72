"""Fit networks and measure them."""
