"""From a volume to the mask of its face: survey, locate, refine; and a person's edits."""
