"""Tests of the stand-in mail provider."""
