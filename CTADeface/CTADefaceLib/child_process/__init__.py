"""One way to start a child process of ours and to talk with it, for networks and for Slicer's worker."""
