"""How many GPU hosts there should be: what waits, how fast it is done, and what may be spent."""
