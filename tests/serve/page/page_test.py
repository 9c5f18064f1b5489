#!/usr/bin/env python3
"""Tests the web page in Chromium.

    page_test.py                                  against the mock server beside this file
    page_test.py --url http://127.0.0.1:8080/     against a real server; what needs the mock is skipped, visibly
    page_test.py --screenshots FOLDER             also writes pictures of all views (mock only)

Needs chromium and chromedriver (Debian: chromium, chromium-driver). Other arguments go to unittest.
"""
import argparse
import pathlib
import sys
import unittest

import page_case


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url")
    parser.add_argument("--screenshots", type=pathlib.Path)
    parser.add_argument("--chromedriver", default=page_case.SETTINGS["driver"])
    parser.add_argument("--chromium", default=page_case.SETTINGS["browser"])
    arguments, rest = parser.parse_known_args()
    url = arguments.url and arguments.url.rstrip("/") + "/"
    page_case.SETTINGS.update(url=url, driver=arguments.chromedriver, browser=arguments.chromium, screenshots=arguments.screenshots)
    # Skips are decided while these are read, so they are read after the arguments.
    import chat_cases
    import screenshots
    import view_cases
    names = {name: value for module in (chat_cases, view_cases, screenshots) for name, value in vars(module).items()
             if isinstance(value, type) and issubclass(value, unittest.TestCase) and value is not page_case.PageCase}
    globals().update(names)
    unittest.main(argv=[sys.argv[0], "-v", *rest])


if __name__ == "__main__":
    main()
