"""Creates users of the benchmarked site and prints their session cookies."""

import json

from benchmarks.settings import PARAMETERS
from benchmarks.users import create_users

if __name__ == "__main__":
    print(json.dumps(create_users(PARAMETERS["users"])))
