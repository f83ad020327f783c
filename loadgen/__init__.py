"""Seeded events with known truth, and the producer that sends them."""
