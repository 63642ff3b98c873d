"""What commands print: colours, bars and tables on a terminal, plain lines everywhere else."""
