//! Large sealed values, in a folder or S3.
