"""``python -m deploy.native.keys <file>``: make the file of API keys, if there is none yet."""

import secrets
import sys
from pathlib import Path

from deploy.native.environment import KEY_ID, write_keys


def main(path: Path) -> int:
    """Write a new key's hash to ``path`` and print the key, this once; keep a file that exists."""
    if path.exists():
        print(f"{path} exists; its key was printed when it was made")
        return 0
    secret = secrets.token_hex(32)
    write_keys(path, secret)
    print(f"API key: {KEY_ID}.{secret}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
