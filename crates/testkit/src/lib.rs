//! What tests share: servers started and stopped, a clock that is moved by hand.
