"""What Duet can be measured by: counted in Redis where it happens, printed for Prometheus when it is asked."""
