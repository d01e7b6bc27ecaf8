"""Makes the people of a site, and prints their cookies."""

import json

from benchmarks.users import settle
from benchmarks.settings import ORDER

if __name__ == "__main__":
    print(json.dumps(settle(ORDER["people"])))
