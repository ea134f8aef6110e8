"""Write what the forms make of `result.json` here: `python -m tests.golden`. Read the difference before you keep it."""

from tests.golden.show import FOLDER, rendered_show

for name, data in rendered_show().items():
    (FOLDER / name).write_bytes(data)
