"""How good the music is: real and composed sets measured side by side."""
