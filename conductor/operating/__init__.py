"""What operators say, whoever carries it: verbs with their arguments, checked, carried out and written down."""
