//! The engine.
use crate::effect::{Effect, Values};
use crate::fact::Fact;
use crate::moment::Moment;
use crate::plan::Plan;
use crate::view::View;
use std::sync::Arc;
