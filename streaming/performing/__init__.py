"""How written notes are played: phrases, manners of a style, the controls a file turns."""
