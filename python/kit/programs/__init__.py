"""How each kind of program is made from a model."""
