"""Several hosts and devices: rendezvous, collective operations, lost hosts."""
