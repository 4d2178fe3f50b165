//! `output` and its rules.

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::keys;
use crate::reader::{Item, Reader};
use devloop_core::plan::output::{BodyStyle, Extract, OutputPlan, RulePlan};

#[derive(Clone, Copy, PartialEq, Eq)]
enum ExtractKind {
    Regex,
    UrlToken,
}

const EXTRACTS: [(&str, ExtractKind); 2] = [("regex", ExtractKind::Regex), ("url_token", ExtractKind::UrlToken)];
const STYLES: [(&str, BodyStyle); 2] = [("plain", BodyStyle::Plain), ("dim", BodyStyle::Dim)];

impl<'a> Lowering<'a> {
    /// The `output` of a child; `style` is its kind's own.
    pub(super) fn output(&self, reader: &mut Reader<'a>, style: BodyStyle) -> OutputPlan {
        let Some(mut output) = reader.table("output", "output") else {
            return OutputPlan { inherit: true, body_style: style, rules: Vec::new(), raw: false };
        };
        let inherit = output.switch("inherit");
        let body_style = output.choice("body_style", &STYLES).unwrap_or(style);
        let rules = output.tables("rules").iter().filter_map(|item| self.rule(item)).collect();
        output.finish();
        OutputPlan { inherit, body_style, rules, raw: false }
    }

    fn rule(&self, item: &Item<'a>) -> Option<RulePlan> {
        let mut rule = Reader::of(self.bag, item, "rule")?;
        let state_key = rule.text("state_key").and_then(|key| self.written_key(&key));
        let extract = match rule.choice("extract", &EXTRACTS) {
            Some(ExtractKind::Regex) => self.regex(&mut rule),
            other => {
                let unused = ["pattern", "capture_group"].map(|name| rule.take(name));
                // An unknown word may be a misspelt `regex`.
                for unused in unused.into_iter().flatten().filter(|_| other.is_some()) {
                    let message = format!("`{}` is used by extract = \"regex\" only", unused.path);
                    self.bag.add(Diagnostic::warning(unused.key, message).saying("not used").hint("remove it"));
                }
                other.map(|_| Extract::UrlToken)
            }
        };
        rule.finish();
        Some(RulePlan { state_key: state_key?, extract: extract? })
    }

    fn regex(&self, rule: &mut Reader<'a>) -> Option<Extract> {
        let is_there = rule.place("pattern").is_some();
        let pattern = rule.text("pattern").and_then(|pattern| self.pattern(&pattern));
        let place = rule.place("capture_group").or_else(|| rule.place("pattern"));
        let capture_group = rule.small("capture_group");
        if !is_there && let Some(key) = keys::find(&["rule"], "pattern") {
            rule.report_missing(key);
        }
        let pattern = pattern?;
        let groups = pattern.regex().captures_len() - 1;
        if capture_group > groups {
            let message = format!("`{}`: the pattern has no capture group {capture_group}", rule.path());
            let has = match groups {
                0 => "the pattern has no groups".to_owned(),
                1 => "the pattern has 1 group".to_owned(),
                _ => format!("the pattern has {groups} groups"),
            };
            let missing = Diagnostic::error(place.unwrap_or_else(|| rule.span()), message).saying(has);
            self.bag.add(
                missing
                    .hint("put the part that is wanted in ( and ), or write `capture_group = 0` for the whole match"),
            );
        }
        Some(Extract::Regex { pattern, capture_group })
    }
}
