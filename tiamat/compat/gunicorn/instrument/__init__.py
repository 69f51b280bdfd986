"""Loggers that tell figures."""
