//! The test of the local stack, `docker-compose.yml`; see `tests/stack`.
