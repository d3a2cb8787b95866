"""Attackers: how well a face is found again, or recognised, in a defaced file."""
