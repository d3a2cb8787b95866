"""What tests of several rooms, benchmarks and scripts share; fixtures lie in the conftest.py of the room that uses them."""
