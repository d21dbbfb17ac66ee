"""A running show: the rules' decisions carried out."""
