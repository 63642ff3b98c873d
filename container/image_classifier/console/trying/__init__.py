"""The logic of the Try screen without Flask: servers that try a job's model, its evidence, corrections."""
