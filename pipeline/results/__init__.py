"""Results of jobs: merge, comparison and checks of both legs, and the published files."""
