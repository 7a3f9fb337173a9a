"""Evaluation of real applications: the API that existing front ends call."""
