"""The command ``cta-deface``: ``main`` and one module for each subcommand."""
