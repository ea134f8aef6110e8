"""Systems that transcribe with the weights of Whisper base, each in a process and some in an environment of their own.

`python -m tests.benchmarks.systems` prepares all of them; `tests.benchmarks.whisper` compares them.
"""
