"""Stand-ins for what costs money or needs a network, to test and measure against."""
