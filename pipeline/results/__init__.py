"""Results: both legs merged, compared and checked, and the files in which they are published."""
