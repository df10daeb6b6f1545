"""The product's database backend, emptied faster between tests."""
