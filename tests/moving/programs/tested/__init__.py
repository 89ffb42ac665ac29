"""A program that brings its own tests."""
