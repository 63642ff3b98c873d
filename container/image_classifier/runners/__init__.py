"""Jobs and servers on this machine: the folder of a job, its state and files, and the model that it starts from."""
