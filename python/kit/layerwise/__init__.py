"""Where a program leaves the eager model: which submodule is the first, and which run."""
