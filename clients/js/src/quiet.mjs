//! Whatever the client library says beside errors is kept to itself. Import this before it.

for (const level of ["debug", "info", "log", "trace", "warn"]) console[level] = () => {};
