"""MIDI controllers of the operator: what is pressed becomes an order to the show, what the show is shines back.

A map, a YAML file, says which key does what. `surface` is one controller as a pure
machine of messages and times; `station` is the thread that joins it to its ports and
to the show.
"""
