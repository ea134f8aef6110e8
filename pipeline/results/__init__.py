"""Results of jobs: merge, comparison and checks of the legs, and the published files."""
