//! Wake-ups, typing and presence between nodes, in-process or NATS.
