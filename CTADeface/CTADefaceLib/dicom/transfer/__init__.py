"""From node to node: which files the gate released, one association, TLS."""
