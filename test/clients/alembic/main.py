"""Runs the tests here and prints a line of TAP for each."""

import sys
import traceback
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import harness  # noqa: E402


class TapResult(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        self.failed = False

    def stopTest(self, test):
        super().stopTest(test)
        self.report(test, not self.failed)

    def report(self, test, passed):
        what = getattr(test, "shortDescription", str)() or str(test)
        print(f"{'ok' if passed else 'not ok'} - {what}", flush=True)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.explain(error, subtest)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.explain(error)
        # No startTest() came before: a class or module could not be set up.
        if not isinstance(test, unittest.TestCase):
            self.report(test, False)

    addError = addFailure

    def explain(self, error, subtest=None):
        self.failed = True
        if subtest is not None:
            print(f"# in {subtest}")
        for line in "".join(traceback.format_exception(*error)).splitlines():
            print(f"# {line}")


def main():
    chosen = sys.argv[1:]
    loader = unittest.TestLoader()
    if chosen:
        suite = loader.loadTestsFromNames(chosen)
    else:
        suite = loader.discover(str(HERE), pattern="test_*.py")
    try:
        harness.create_template()
        result = suite.run(TapResult())
    finally:
        harness.drop_template()
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
