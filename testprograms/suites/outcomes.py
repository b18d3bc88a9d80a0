"""Runs a module of CPython's own tests and writes what became of each test, one a line, sorted.

    python3 outcomes.py MODULE FILE
"""

import sys
import unittest


class Outcomes(unittest.TestResult):
    """Notes the outcome of each test and subtest; a test without trouble is ok."""

    def __init__(self):
        super().__init__()
        self.noted = {}

    def note(self, test, outcome):
        self.noted[test.id()] = outcome

    def startTest(self, test):
        super().startTest(test)
        self.note(test, "ok")

    def addError(self, test, error):
        self.note(test, f"error: {error[0].__name__}")

    def addFailure(self, test, error):
        self.note(test, "failed")

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.note(test, "failed in a subtest")

    def addSkip(self, test, reason):
        self.note(test, f"skipped: {reason}")

    def addExpectedFailure(self, test, error):
        self.note(test, "failed as expected")

    def addUnexpectedSuccess(self, test):
        self.note(test, "succeeded unexpectedly")


def main():
    module, path = sys.argv[1:]
    suite = unittest.defaultTestLoader.loadTestsFromName(module)
    # Tests start sys.executable and look at their own arguments.
    sys.argv = [sys.argv[0]]
    outcomes = Outcomes()
    suite.run(outcomes)
    with open(path, "w") as file:
        file.writelines(f"{name} {outcome}\n" for name, outcome in sorted(outcomes.noted.items()))


if __name__ == "__main__":
    main()
