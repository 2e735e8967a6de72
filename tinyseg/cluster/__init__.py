"""More than one machine or run: searches on Ray, jobs for SLURM. Nothing of Ray until asked for."""
