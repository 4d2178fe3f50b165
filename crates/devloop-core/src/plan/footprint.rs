//! What a workflow touches.
