//! Stripe's event types, the objects that they carry, and samples of our own writing.

mod samples;

pub use samples::{SampleSeed, sample};

use crate::diagnostic::did_you_mean;
use std::collections::HashMap;
use std::sync::LazyLock;

/// An event type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// `invoice.paid`
    pub name: &'static str,
    /// What the event is about: mostly one, a few types carry one of several (`bank_account`, `card`). A thin type may
    /// have none.
    pub objects: Vec<&'static str>,
    /// A thin event has no copy of its object, only a reference.
    pub is_thin: bool,
}

/// Whether Stripe sends events of this type, as far as this list knows.
pub fn is_known(kind: &str) -> bool {
    find(kind).is_some()
}

/// The object that an event of this type is about; the first if it can be one of several.
pub fn object_of(kind: &str) -> Option<&'static str> {
    find(kind)?.objects.first().copied()
}

pub fn find(kind: &str) -> Option<&'static Kind> {
    LIST.by_name.get(kind).map(|&at| &LIST.kinds[at])
}

/// All types by name, snapshot types first.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    LIST.kinds.iter()
}

/// Whether some known type is meant by a pattern: `invoice.paid`, `invoice.*` or `*`.
pub fn matches_any(pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        None => is_known(pattern),
        Some("") => true,
        Some(start) => start.ends_with('.') && kinds().any(|it| it.name.starts_with(start)),
    }
}

/// The type that was meant by one that does not exist, if that can be told.
pub fn nearest(kind: &str) -> Option<&'static str> {
    if KIND_SIZE_BYTES_MAX < kind.len() {
        return None;
    }
    // Stripe says "deleted" where people look for "canceled", and the letters lead to "created".
    if matches!(kind.rsplit_once('.'), Some((start, "canceled" | "cancelled")) if start.ends_with("subscription"))
    {
        return Some("customer.subscription.deleted");
    }
    let tail = format!(".{kind}");
    did_you_mean(kind, kinds().map(|it| it.name))
        .or_else(|| kinds().map(|it| it.name).find(|it| it.ends_with(&tail)))
}

/// The beginning of types that was meant by one with which none begins: `invoice` for `invoices`.
pub fn nearest_family(start: &str) -> Option<&'static str> {
    let families = kinds().flat_map(|it| it.name.match_indices('.').map(|(at, _)| &it.name[..at]));
    did_you_mean(start, families)
}

/// Nothing longer is a mistyped type, and comparing it would take long.
const KIND_SIZE_BYTES_MAX: usize = 200;

struct List {
    kinds: Vec<Kind>,
    by_name: HashMap<&'static str, usize>,
}

static LIST: LazyLock<List> = LazyLock::new(|| {
    let snapshot = rows(include_str!("snapshot_types.tsv"), false);
    let kinds: Vec<Kind> = snapshot
        .chain(rows(include_str!("thin_types.tsv"), true))
        .collect();
    let by_name = kinds
        .iter()
        .enumerate()
        .map(|(at, it)| (it.name, at))
        .collect();
    List { kinds, by_name }
});

/// A row is a type, a tab, and its objects with `|` between; `-` for none.
fn rows(text: &'static str, is_thin: bool) -> impl Iterator<Item = Kind> {
    text.lines().filter_map(move |row| {
        let (name, objects) = row.split_once('\t')?;
        let objects = objects.split('|').filter(|it| *it != "-").collect();
        Some(Kind {
            name,
            objects,
            is_thin,
        })
    })
}

/// A sample of every type, several of each: what the compression of bodies learns field names from.
pub fn all_samples() -> Vec<String> {
    const OF_EACH: u64 = 3;
    const CREATED_S: i64 = 1_700_000_000;
    let seeds = (1..=OF_EACH).map(|number| SampleSeed {
        number,
        created_s: CREATED_S,
        livemode: false,
    });
    seeds
        .flat_map(|seed| kinds().filter_map(move |it| sample(it.name, &seed)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_sorted() {
        let (thin, snapshot): (Vec<&Kind>, Vec<&Kind>) = kinds().partition(|it| it.is_thin);
        assert_eq!((snapshot.len(), thin.len()), (265, 86));
        assert!(snapshot.is_sorted_by_key(|it| it.name));
        assert_eq!(LIST.by_name.len(), LIST.kinds.len());
        assert!(snapshot.iter().all(|it| !it.objects.is_empty()));
    }

    #[test]
    fn a_type_tells_its_object() {
        assert_eq!(object_of("invoice.paid"), Some("invoice"));
        assert_eq!(object_of("customer.source.created"), Some("source"));
        assert_eq!(
            object_of("v2.core.account[requirements].updated"),
            Some("v2.core.account")
        );
        assert_eq!(object_of("v1.billing.meter.no_meter_found"), None);
        assert_eq!(object_of("invoice.payed"), None);
        assert!(is_known("v1.billing.meter.no_meter_found"));
    }

    #[test]
    fn a_mistake_leads_to_what_was_meant() {
        assert_eq!(nearest("invoice.payed"), Some("invoice.paid"));
        assert_eq!(nearest("Invoice.Paid"), Some("invoice.paid"));
        assert_eq!(
            nearest("subscription.created"),
            Some("customer.subscription.created")
        );
        assert_eq!(
            nearest("customer.subscription.cancelled"),
            Some("customer.subscription.deleted")
        );
        assert_eq!(nearest("weather.changed.to.rain"), None);
        assert_eq!(nearest_family("invoices"), Some("invoice"));
        assert_eq!(
            nearest_family("customer.subscriptions"),
            Some("customer.subscription")
        );
    }

    #[test]
    fn a_pattern_means_what_begins_so() {
        for (pattern, expected) in [
            ("*", true),
            ("invoice.*", true),
            ("invoice.paid", true),
            ("invoic.*", false),
            ("invoice*", false),
            ("", false),
        ] {
            assert_eq!(matches_any(pattern), expected, "{pattern}");
        }
    }
}
