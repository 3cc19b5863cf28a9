"""What the tests in Python share: one line of TAP for each, and clients at once.

The environment is what direct_and_pooled in common.sh sets.
"""

import os
import sys
import threading
import traceback

LABEL = os.environ.get("LABEL", "")
PREPARE = os.environ.get("PREPARE") == "1"
POOL_SIZE = int(os.environ.get("POOL_SIZE", "0"))  # 0: no pooler
failures = 0


def test(name, function, *arguments):
    global failures
    name = f"{LABEL}: {name}" if LABEL else name
    try:
        function(*arguments)
        print("ok -", name, flush=True)
    except Exception:
        traceback.print_exc(file=sys.stdout)
        print("not ok -", name, flush=True)
        failures += 1


def finish():
    sys.exit(failures > 0)


def equal(actual, expected):
    assert actual == expected, f"{actual!r} is not {expected!r}"


def at_once(functions):
    """Runs each in a thread, raises the first error, and returns what they returned."""
    results = [None] * len(functions)
    errors = []

    def run(i):
        try:
            results[i] = functions[i]()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a client hangs"
    if errors:
        raise errors[0]
    return results
