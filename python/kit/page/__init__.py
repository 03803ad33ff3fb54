"""The page: one HTML file that shows the stages of a graph and what was fused, without a network."""
