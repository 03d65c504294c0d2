"""The HTML page as a person meets it: in headless Chromium, by mouse, by keyboard, on a phone."""
