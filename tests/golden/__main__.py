"""Write what the forms make of `result.json` here: `python -m tests.golden`. Read the difference before you keep it."""

from tests.golden.show import FOLDERS, rendered

for folder in FOLDERS:
    for name, data in rendered(folder).items():
        (folder / name).write_bytes(data)
