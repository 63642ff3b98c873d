"""Jobs of the console: what waits, what runs, what is over; and the thread that starts the next one."""
