"""Corrections of a result by its readers and by the replacement rules of its show."""
