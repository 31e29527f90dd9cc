//! What a script sees during an attempt: records as the ledger has them, answers as the journal has them.

use super::journal::{Asked, Found, Journal, Match};
use super::outcome::calls_changed;
use super::past::{Past, Seen};
use crate::call::{Answer, Request};
use crate::ledger::note::{CALLS_NOTED_MAX, CallNote, Did};
use crate::ledger::once::OnceCall;
use crate::ledger::request::CallState;
use crate::ledger::sqlite::read::{ReadError, Reader};
use crate::record::{Record, RecordKey};
use crate::run::RunId;
use crate::script::{World, WorldError};
use crate::services::Services;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What `find` was asked: collection, fields and their values, limit.
type Query = (String, Vec<(String, String)>, usize);

/// What an attempt has seen so far. Lives over its replays, so that each of them sees the same.
#[derive(Default)]
pub(super) struct Sight {
    records: HashMap<RecordKey, Option<Record>>,
    finds: HashMap<Query, Vec<Record>>,
    pub journal: Journal,
    past: Past,
    /// Answers of GETs that this attempt was given before it began anew for a turn alone: asked again, each of them would
    /// end the turn.
    kept: Seen,
    /// What this attempt asked and was answered, in order; an error stands for a call that failed.
    answers: Vec<(Request, Result<Arc<Answer>, WorldError>)>,
    /// Answers of GETs since the last intent, without those that were taken over.
    pub seen: Seen,
    /// What was done with each call so far.
    pub notes: Vec<CallNote>,
    pub engine_time: Duration,
    /// The call of the name that the script asked for last, as it stood when the pass ended with it; none: there is none.
    pub once: Option<OnceCall>,
    /// Why the run cannot go on, when a call may be several entries of the journal.
    pub calls_changed: Option<String>,
    run: RunId,
    version: Arc<str>,
}

impl Sight {
    /// Of an attempt that begins anew: what it has told so far, and answers of GETs that are kept.
    pub(super) fn with(notes: Vec<CallNote>, kept: Seen) -> Self {
        Self {
            notes,
            kept,
            ..Self::default()
        }
    }

    /// What earlier attempts have done is known from now on.
    pub(super) fn begin(&mut self, run: RunId, journal: Journal, past: Past, version: Arc<str>) {
        self.run = run;
        self.journal = journal;
        self.past = past;
        self.version = version;
    }

    /// What it takes up, near enough.
    pub(super) fn size_bytes(&self) -> usize {
        let of_record = |it: &Record| it.body.as_ref().map_or(0, String::len);
        let of_seen = |it: &Seen| -> usize { it.iter().map(|(_, it)| it.text.len()).sum() };
        let records = self.records.values().flatten().map(of_record);
        let found = self.finds.values().flatten().map(of_record);
        let answers = self.answers.iter().filter_map(|(_, it)| it.as_ref().ok());
        records.sum::<usize>()
            + found.sum::<usize>()
            + answers.map(|it| it.text.len()).sum::<usize>()
            + of_seen(&self.kept)
            + of_seen(&self.seen)
            + self.journal.size_bytes()
    }

    pub(super) fn records_read(&self) -> impl Iterator<Item = &RecordKey> {
        self.records.keys()
    }

    /// Answers of GETs, in order.
    pub(super) fn answers_of_gets(&self) -> Seen {
        let answered = |(request, answer): &(Request, Result<Arc<Answer>, WorldError>)| {
            let answer = answer.as_ref().ok()?;
            (!request.method.changes_something()).then(|| (request.clone(), (**answer).clone()))
        };
        self.answers.iter().filter_map(answered).collect()
    }

    /// Takes the first answer that is kept for this question.
    fn take_kept(&mut self, request: &Request) -> Option<Answer> {
        let at = self.kept.iter().position(|(it, _)| it == request)?;
        Some(self.kept.remove(at).1)
    }

    /// The next call of the script was answered so, or failed so.
    pub(super) fn answered(&mut self, request: Request, answer: Result<Answer, WorldError>) {
        if let Ok(it) = &answer
            && !request.method.changes_something()
        {
            self.seen.push((request.clone(), it.clone()));
        }
        self.answers.push((request, answer.map(Arc::new)));
    }

    /// The last call had no answer that counts: the service could not be reached, or did not say.
    pub(super) fn lacks_an_answer(&self) -> bool {
        self.answers
            .last()
            .is_some_and(|(_, answer)| answer.as_ref().is_err_and(|it| it.is_passing))
    }

    /// Whether the last call was answered 2xx: asked again, it is answered again, or by the journal.
    pub(super) fn was_answered_well(&self) -> bool {
        let last = self.answers.last().and_then(|(_, it)| it.as_ref().ok());
        last.is_some_and(|it| (200..300).contains(&it.status))
    }

    /// Notes what was done with a call, for the attempt's report.
    pub(super) fn tell(&mut self, told: CallNote) {
        // An attempt that began anew takes its own calls from the journal.
        let is_told = |it: &CallNote| it.number.is_some() && it.number == told.number;
        let is_same_name = |it: &CallNote| {
            it.did == told.did && it.service == told.service && it.once == told.once
        };
        let is_new = match told.did {
            Did::FromJournal => !self.notes.iter().any(is_told),
            Did::FromOtherRun => !self.notes.iter().any(is_same_name),
            Did::New | Did::SentAgain | Did::OutcomeUnknown | Did::CallsChanged => true,
        };
        if is_new && self.notes.len() < CALLS_NOTED_MAX {
            self.notes.push(told);
        }
    }

    /// JSON of what was done with each call; none without calls.
    pub(super) fn told(&self) -> Option<String> {
        if self.notes.is_empty() {
            return None;
        }
        serde_json::to_string(&self.notes).ok()
    }

    /// The answer that the call of this name was given, whoever made it.
    fn answer_of_other(&mut self, request: &Request, content: &str) -> Option<Answer> {
        let it = self.once.as_ref()?;
        let answer = it
            .answer
            .clone()
            .filter(|_| it.standing.state == CallState::Settled)?;
        let (owner, number) = (it.standing.owner, it.standing.number);
        let is_own = owner == self.run;
        let did = if is_own {
            Did::FromJournal
        } else {
            Did::FromOtherRun
        };
        self.tell(CallNote {
            number: is_own.then_some(number),
            run: (!is_own).then_some(owner),
            status: Some(answer.status),
            differs: it.content != content,
            ..CallNote::of(request, did)
        });
        Some(answer)
    }

    /// What an earlier attempt knows of this call.
    fn known(
        &mut self,
        request: &Request,
        services: &Services,
        reader: &Mutex<Reader>,
    ) -> Option<Result<Answer, WorldError>> {
        if !request.method.changes_something() {
            // What is taken over was answered in the try before, too.
            let kept = self.take_kept(request);
            let taken_over = self.past.answer(request, &self.journal, &self.version);
            return taken_over.or(kept).map(Ok);
        }
        // What cannot be sent is told by the one who would send it.
        let prepared = services.prepare(request).ok()?;
        let version = self.version.clone();
        let asked = Asked::of(request, &prepared, &version);
        if let Some(name) = request
            .once
            .as_deref()
            .filter(|_| !self.journal.has_settled_by_name(&asked))
        {
            match lock(reader).once(&request.service, name, self.run) {
                Ok(row) => self.once = row,
                Err(error) => return Some(Err(unreadable(error))),
            }
            if let Some(answer) = self.answer_of_other(request, &asked.content()) {
                return Some(Ok(answer));
            }
        }
        match self.journal.peek(&asked) {
            Match::Settled(Found {
                entry,
                differs,
                decided,
            }) => {
                let answer = entry.answer.clone()?;
                self.tell(CallNote {
                    number: Some(entry.number),
                    status: Some(answer.status),
                    differs,
                    decided,
                    ..CallNote::of(request, Did::FromJournal)
                });
                self.journal.put(entry, &asked.content());
                Some(Ok(answer))
            }
            Match::Again(_) | Match::New { .. } => None,
            Match::CallsChanged => {
                self.tell(CallNote::of(request, Did::CallsChanged));
                let message = calls_changed(self.run, request);
                self.calls_changed = Some(message.clone());
                Some(Err(WorldError {
                    message,
                    is_passing: false,
                }))
            }
        }
    }
}

/// The most bytes that the records of one `find` may have together: read all at once, they would go past the bound on a
/// script's memory before anybody looks.
const FOUND_SIZE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One pass's view of the sight.
pub(super) struct AttemptWorld {
    sight: Arc<Mutex<Sight>>,
    reader: Arc<Mutex<Reader>>,
    services: Services,
    /// How many of the answers this pass has been given.
    given: usize,
}

impl AttemptWorld {
    pub(super) fn new(
        sight: Arc<Mutex<Sight>>,
        reader: Arc<Mutex<Reader>>,
        services: Services,
    ) -> Self {
        Self {
            sight,
            reader,
            services,
            given: 0,
        }
    }

    fn sight(&self) -> MutexGuard<'_, Sight> {
        self.sight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Reader> {
        lock(&self.reader)
    }
}

fn lock(reader: &Mutex<Reader>) -> MutexGuard<'_, Reader> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World for AttemptWorld {
    fn record(&mut self, collection: &str, id: &str) -> Result<Option<Record>, WorldError> {
        let key = RecordKey {
            collection: collection.into(),
            id: id.into(),
        };
        if let Some(it) = self.sight().records.get(&key) {
            return Ok(it.clone());
        }
        let found = self.reader().record(collection, id).map_err(unreadable)?;
        self.sight().records.insert(key, found.clone());
        Ok(found)
    }

    fn find(
        &mut self,
        collection: &str,
        fields: &[(String, String)],
        limit: usize,
    ) -> Result<Vec<Record>, WorldError> {
        let query = (collection.to_owned(), fields.to_vec(), limit);
        if let Some(it) = self.sight().finds.get(&query) {
            return Ok(it.clone());
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found = self
            .reader()
            .find_records(collection, fields, limit, FOUND_SIZE_BYTES_MAX)
            .map_err(unreadable)?
            .ok_or_else(|| WorldError {
                message: format!(
                    "the records of `{collection}` that are found have more than {FOUND_SIZE_BYTES_MAX} bytes together: ask for fewer, by more fields or a smaller limit"
                ),
                is_passing: true,
            })?;
        let mut sight = self.sight();
        for it in &mut found {
            // One view of a record in an attempt, however it was come by.
            match sight.records.get(&it.key) {
                Some(Some(seen)) => *it = seen.clone(),
                Some(None) => {}
                None => {
                    sight.records.insert(it.key.clone(), Some(it.clone()));
                }
            }
        }
        sight.finds.insert(query, found.clone());
        Ok(found)
    }

    fn answer(&mut self, request: &Request) -> Result<Option<Arc<Answer>>, WorldError> {
        let given = self.given;
        self.given += 1;
        let services = self.services.clone();
        let mut sight = self.sight();
        if given == sight.answers.len() {
            let Some(known) = sight.known(request, &services, &self.reader) else {
                return Ok(None);
            };
            // Taken over, and kept already by the call that was made after it.
            sight.answers.push((request.clone(), known.map(Arc::new)));
        }
        let (asked, answer) = &sight.answers[given];
        if asked != request {
            return Err(WorldError {
                message: format!(
                    "the script asked for {} {} where it had asked for {} {} before, although nothing that it sees has changed",
                    request.method.as_str(),
                    request.path,
                    asked.method.as_str(),
                    asked.path
                ),
                is_passing: true,
            });
        }
        answer.clone().map(Some)
    }

    fn engine_time_spent(&self) -> Duration {
        self.sight().engine_time
    }
}

fn unreadable(error: ReadError) -> WorldError {
    WorldError {
        message: format!("the ledger could not be read: {error}"),
        is_passing: true,
    }
}
