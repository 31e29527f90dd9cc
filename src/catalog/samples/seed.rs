//! Where the ids and values of samples come from: one number gives them all.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What samples are made from; the same seed gives the same text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleSeed {
    /// Samples of one number are about the same customer, subscription, invoice.
    pub number: u64,
    /// When the event happened, in Unix seconds.
    pub created_s: i64,
    pub livemode: bool,
}

/// One sample on its way: its seed and its type.
pub(super) struct Sample<'a> {
    pub seed: &'a SampleSeed,
    pub kind: &'a str,
}

impl Sample<'_> {
    pub(super) fn created(&self) -> i64 {
        self.seed.created_s
    }

    /// So many days after the event, in Unix seconds; before it if negative.
    pub(super) fn days(&self, days: i64) -> i64 {
        self.seed.created_s.saturating_add(days * 86_400)
    }

    pub(super) fn livemode(&self) -> bool {
        self.seed.livemode
    }

    /// The last part of the type: `paid` of `invoice.paid`.
    pub(super) fn action(&self) -> &str {
        self.kind.rsplit('.').next().unwrap_or_default()
    }

    /// The one object of this prefix that the seed knows: `cus_…`. Others that belong to it find it by the same call.
    pub(super) fn id(&self, prefix: &str) -> String {
        match prefix {
            "cus" | "prod" | "mtr" | "acct" => format!("{prefix}_{}", self.letters(prefix, 14)),
            _ => format!("{prefix}_1{}", self.letters(prefix, 23)),
        }
    }

    /// The event's own id: of seed and type.
    pub(super) fn event_id(&self, prefix: &str) -> String {
        format!(
            "{prefix}1{}",
            self.letters(&format!("evt {}", self.kind), 23)
        )
    }

    /// Something that only this event has.
    pub(super) fn id_of_event(&self, prefix: &str) -> String {
        format!(
            "{prefix}_{}",
            self.letters(&format!("{prefix} {}", self.kind), 14)
        )
    }

    pub(super) fn uuid(&self) -> String {
        let half = |salt: &str| u128::from(self.hash(&format!("uuid {} {salt}", self.kind)));
        let bits = half("first") << 64 | half("second");
        uuid::Builder::from_u128(bits)
            .with_version(uuid::Version::Random)
            .into_uuid()
            .to_string()
    }

    pub(super) fn pick<'v, T: ?Sized>(&self, what: &str, of: &[&'v T]) -> &'v T {
        let count = u64::try_from(of.len()).unwrap_or(1);
        of[usize::try_from(self.hash(what) % count).unwrap_or(0)]
    }

    pub(super) fn number(&self, what: &str, from: i64, to: i64) -> i64 {
        let span = u64::try_from(to - from + 1).unwrap_or(1);
        from + i64::try_from(self.hash(what) % span).unwrap_or(0)
    }

    /// Digits, leading zeros too.
    pub(super) fn digits(&self, what: &str, count: usize) -> String {
        self.drawn(what, count, b"0123456789")
    }

    pub(super) fn letters(&self, what: &str, count: usize) -> String {
        self.drawn(
            what,
            count,
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        )
    }

    fn drawn(&self, what: &str, count: usize, from: &[u8]) -> String {
        let length = u64::try_from(from.len()).unwrap_or(1);
        (0..count)
            .map(|at| {
                let draw = self.hash(&format!("{what} {at}")) % length;
                char::from(from[usize::try_from(draw).unwrap_or(0)])
            })
            .collect()
    }

    fn hash(&self, what: &str) -> u64 {
        xxh3_64_with_seed(what.as_bytes(), self.seed.number)
    }
}

/// What the seed's customer buys. All amounts are in the smallest unit of the currency.
impl Sample<'_> {
    pub(super) fn currency(&self) -> &'static str {
        self.pick("currency", &["usd", "eur", "gbp", "usd"])
    }

    pub(super) fn unit_amount(&self) -> i64 {
        100 * self.number("unit", 5, 200)
    }

    pub(super) fn quantity(&self) -> i64 {
        self.number("quantity", 1, 4)
    }

    pub(super) fn subtotal(&self) -> i64 {
        self.unit_amount() * self.quantity()
    }

    /// 20 percent.
    pub(super) fn tax(&self) -> i64 {
        self.subtotal() / 5
    }

    pub(super) fn total(&self) -> i64 {
        self.subtotal() + self.tax()
    }

    pub(super) fn product_name(&self) -> &'static str {
        self.pick(
            "product",
            &[
                "Starter plan",
                "Team plan",
                "Studio membership",
                "Reading club",
                "Support hours",
                "Tea of the month",
            ],
        )
    }

    pub(super) fn name(&self) -> String {
        let first = self.pick(
            "first name",
            &[
                "Alex", "Robin", "Kim", "Sasha", "Noor", "Jules", "Mika", "Toni",
            ],
        );
        let last = self.pick(
            "last name",
            &[
                "Example",
                "Sample",
                "Placeholder",
                "Muster",
                "Exemple",
                "Ejemplo",
            ],
        );
        format!("{first} {last}")
    }

    pub(super) fn email(&self) -> String {
        let box_number = self.number("email", 1, 9999);
        format!(
            "{}.{box_number}@example.com",
            self.name().to_lowercase().replace(' ', ".")
        )
    }

    pub(super) fn phone(&self) -> String {
        format!("+1555{}", self.digits("phone", 7))
    }
}
