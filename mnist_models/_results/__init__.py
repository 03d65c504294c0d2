"""What an evaluation found, and what follows from it: numbers, tables, pictures."""
