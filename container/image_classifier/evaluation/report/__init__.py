"""The report: one HTML file that holds everything it shows, without scripts and without the network."""
