"""Guards: what would make a trace lie is found here, before an archive is written. One rule, one function."""
