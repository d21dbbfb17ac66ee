"""The subcommands of `conductor`, a module for each part of the program."""
