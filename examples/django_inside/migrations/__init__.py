"""How the tables of the board came to be."""
