"""Creates users and prints their cookies."""

import json

from benchmarks.settings import ORDER
from benchmarks.users import create_users

if __name__ == "__main__":
    print(json.dumps(create_users(ORDER["users"])))
