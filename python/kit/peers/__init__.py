"""Measuring an archive beside what else could run the same model."""
