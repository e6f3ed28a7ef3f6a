//! Files: sealed streams and their metadata.
